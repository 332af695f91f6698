/**
 * Repairs a WAL segment that is damaged before its end. A Prometheus that finds such a segment deletes it from the
 * damage on and every segment behind it; so before anything is written behind it, it is replaced by one that holds its
 * sound records. The damaged file stays beside it as `<segment>.damaged`, which Prometheus does not look at.
 */
import { existsSync, linkSync } from 'node:fs';
import { join } from 'node:path';
import { compressSync } from 'snappy';
import type { FileLayer } from '../../lib/file-layer.ts';
import { onDisk } from '../../lib/on-disk.ts';
import { FrameBuilder } from './frame-builder.ts';
import { segmentName } from './page-format.ts';
import { readSegment } from './wal-reader.ts';

/**
 * Replaces a segment by its sound records, in order; answers how many there are. The directory is whole at every
 * moment: the new file is durable before it takes the old one's name.
 * @throws CodedError unavailable when the disk refuses; the segment is then as it was.
 */
export function rewriteSegment(files: FileLayer, directory: string, index: number): number {
  const path = join(directory, segmentName(index));
  return onDisk(`repair ${path}`, () => {
    const fresh = `${path}.repairing`;
    const records = writeSound(files, { directory, index, fresh });
    linkSync(path, freeName(`${path}.damaged`));
    files.rename(fresh, path);
    files.fsyncDirectory(directory);
    return records;
  });
}

/** Writes the sound records of a segment to a fresh file, durably; answers how many there are. */
function writeSound(
  files: FileLayer,
  of: { readonly directory: string; readonly index: number; readonly fresh: string },
): number {
  files.remove(of.fresh);
  const fd = files.open(of.fresh, true);
  try {
    const frames = new FrameBuilder();
    let offset = 0;
    let records = 0;
    const write = (record: Uint8Array): void => {
      const frame = frames.build([compressSync(record, { copyOutputData: true })], offset);
      files.write(fd, frame, offset);
      offset += frame.length;
      records++;
    };
    readSegment(of.directory, of.index, write, () => undefined);
    files.fsync(fd);
    return records;
  } finally {
    files.close(fd);
  }
}

/** The name, or the first of name.1, name.2, … that no file has. */
function freeName(name: string): string {
  let free = name;
  for (let i = 1; existsSync(free); i++) free = `${name}.${i}`;
  return free;
}
