/**
 * The text of a meta.json from a bucket, and the difference between one that is broken and one that is too new.
 * Behaviour: thanos pkg/block/fetcher.go (loadMeta).
 */
import { CodedError, errorText } from '../../lib/errors.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { META_VERSION, parseBlockMeta } from '../../tsdb/block/meta.ts';
import { readThanos } from '../meta.ts';

/**
 * Reads the meta.json of a block; `path` is for messages.
 * @throws CodedError corrupt when it is broken, or not that of the block; unavailable when it has a version that we do not
 * know: the block may be sound, and must not be taken for the remains of one.
 */
export function parseFetchedMeta(text: string, ulid: string, path: string): BlockMeta {
  try {
    const meta = parseBlockMeta(text, path);
    if (meta.ulid !== ulid) {
      throw new CodedError('corrupt', `ulid is ${meta.ulid}, want the block's own`);
    }
    readThanos(meta, path);
    return meta;
  } catch (thrown) {
    throw unknownVersion(text, path) ?? corrupt(path, thrown);
  }
}

/** compat: Go's sentence. */
function corrupt(path: string, thrown: unknown): CodedError {
  const message = `meta.json ${path} unmarshal: ${errorText(thrown)}: meta.json corrupted`;
  return new CodedError('corrupt', message, { cause: thrown });
}

function unknownVersion(text: string, path: string): CodedError | undefined {
  const root = parseObject(text);
  if (root === undefined) return undefined;
  const { version = 0 } = root;
  // compat: Go's sentence.
  if (isOther(version, [META_VERSION])) return tooNew(`unexpected meta file: ${path}`, version);
  const thanos = root['thanos'];
  const own = typeof thanos === 'object' && thanos !== null && 'version' in thanos;
  if (own && isOther(thanos.version, [0, META_VERSION])) {
    return tooNew(`unexpected thanos section of meta file: ${path}`, thanos.version);
  }
  return undefined;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null) return {};
    return typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isOther(version: unknown, known: readonly number[]): version is number {
  return typeof version === 'number' && !known.includes(version);
}

function tooNew(where: string, version: number): CodedError {
  return new CodedError('unavailable', `${where} version: ${version}`);
}
