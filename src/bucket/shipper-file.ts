/**
 * `thanos.shipper.json`: which blocks of a directory have been uploaded (docs/format/thanos-meta.md). Format: thanos
 * pkg/shipper/shipper.go (Meta).
 */
import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { CodedError, errorText } from '../lib/errors.ts';
import { isUlid } from '../model/ulid.ts';

const VERSION = 1;

/**
 * The blocks that the file lists.
 * @throws CodedError not_found when there is no such file; corrupt when it is not one; unavailable.
 */
export async function readShipperFile(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((thrown: unknown): never => {
    const absent = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    const message = `read ${file}: ${errorText(thrown)}`;
    throw new CodedError(absent ? 'not_found' : 'unavailable', message, { cause: thrown });
  });
  const wrong = (what: string): CodedError => new CodedError('corrupt', `${what} (${file})`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (thrown) {
    throw wrong(`not JSON: ${errorText(thrown)}`);
  }
  if (typeof content !== 'object' || content === null) throw wrong('the content is no object');
  const { version, uploaded } = content as Readonly<Record<string, unknown>>;
  if (version !== VERSION) {
    throw wrong(`unexpected meta file version ${JSON.stringify(version ?? 0)}`);
  }
  const list: unknown = uploaded ?? [];
  if (!Array.isArray(list) || !list.every((id) => typeof id === 'string' && isUlid(id))) {
    throw wrong('uploaded is no list of ULIDs');
  }
  return list as string[];
}

/**
 * Writes the file: whole, or not at all, and durable when it returns. Not for two at once.
 * @throws system errors; the file is then as it was.
 */
export async function writeShipperFile(file: string, uploaded: readonly string[]): Promise<void> {
  // compat: Go writes null for none.
  const content = { version: VERSION, uploaded: uploaded.length === 0 ? null : uploaded };
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(`${JSON.stringify(content, undefined, '\t')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const directory = await open(path.dirname(file), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
