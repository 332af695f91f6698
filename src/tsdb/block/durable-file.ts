/** Small files of a block, written whole or not at all. */
import { join } from 'node:path';
import type { FileLayer } from '../../lib/file-layer.ts';
import { onDisk } from '../../lib/on-disk.ts';

/** limit: the suffix of a file that is being written; Prometheus and Thanos use the same. */
const TEMPORARY_SUFFIX = '.tmp';

/**
 * Puts a file into a directory in place of one of that name, durable when it returns.
 * @throws CodedError unavailable; the directory is then as it was, unless its last fsync failed.
 */
export function writeFileDurably(
  files: FileLayer,
  directory: string,
  name: string,
  bytes: Uint8Array,
): void {
  const path = join(directory, name);
  const temporary = `${path}${TEMPORARY_SUFFIX}`;
  onDisk(`write ${path}`, () => {
    try {
      files.remove(temporary);
      const fd = files.open(temporary, true);
      try {
        files.write(fd, bytes, 0);
        files.fsync(fd);
      } finally {
        files.close(fd);
      }
      files.rename(temporary, path);
    } catch (thrown) {
      removeQuietly(files, temporary);
      throw thrown;
    }
    files.fsyncDirectory(directory);
  });
}

/** Removes what a failure left behind: the failure is what counts, not that this fails, too. */
export function removeQuietly(files: FileLayer, path: string): void {
  try {
    files.remove(path);
  } catch {
    // The next start lists what is left, by its suffix.
  }
}
