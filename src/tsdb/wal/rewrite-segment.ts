/**
 * Repairs a WAL segment that is damaged before its end. A Prometheus that finds such a segment deletes it from the
 * damage on and every segment behind it; so before anything is written behind it, it is replaced by one that holds its
 * sound records. The damaged file stays beside it as `<segment>.damaged`, which Prometheus does not look at.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  linkSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { compressSync } from 'snappy';
import { systemFiles } from '../../lib/file-layer.ts';
import { FrameBuilder } from './frame-builder.ts';
import { segmentName } from './page-format.ts';
import { readSegment } from './wal-reader.ts';

/**
 * Replaces a segment by its sound records, in order; answers how many there are. The directory is whole at every
 * moment: the new file is durable before it takes the old one's name.
 */
export function rewriteSegment(directory: string, index: number): number {
  const path = join(directory, segmentName(index));
  const fresh = `${path}.repairing`;
  const fd = openSync(fresh, 'w');
  let records = 0;
  try {
    const frames = new FrameBuilder();
    let offset = 0;
    const write = (record: Uint8Array): void => {
      const frame = frames.build([compressSync(record, { copyOutputData: true })], offset);
      for (let done = 0; done < frame.length;) done += writeSync(fd, frame, done);
      offset += frame.length;
      records++;
    };
    readSegment(directory, index, write, () => undefined);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
  linkSync(path, freeName(`${path}.damaged`));
  renameSync(fresh, path);
  systemFiles.fsyncDirectory(directory);
  return records;
}

/** The name, or the first of name.1, name.2, … that no file has. */
function freeName(name: string): string {
  let free = name;
  for (let i = 1; existsSync(free); i++) free = `${name}.${i}`;
  return free;
}
