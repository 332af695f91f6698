/** Copies of blocks by hard links: no byte is copied, and nothing that happens to the block later changes them. */
import { linkSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, errorText } from '../../lib/errors.ts';

const CHUNKS = 'chunks';
/** compat: what Prometheus puts into a snapshot of a block (tsdb/block.go, Block.Snapshot). */
const FILES = ['meta.json', 'index', 'tombstones'];

/**
 * Links a block's files to `<target>/<name of the block's directory>`. Files of a block are replaced, never changed, so
 * that the links stay what they are.
 * @throws CodedError unavailable when the system refuses.
 */
export function snapshotBlock(directory: string, target: string): void {
  const into = join(target, directory.slice(directory.lastIndexOf('/') + 1));
  try {
    mkdirSync(join(into, CHUNKS), { recursive: true });
    const present = new Set(readdirSync(directory));
    const files = FILES.filter((file) => present.has(file));
    const segments = readdirSync(join(directory, CHUNKS)).map((name) => join(CHUNKS, name));
    for (const file of [...files, ...segments]) linkSync(join(directory, file), join(into, file));
  } catch (thrown) {
    throw new CodedError('unavailable', `snapshot of ${directory}: ${errorText(thrown)}`, {
      cause: thrown,
    });
  }
}
