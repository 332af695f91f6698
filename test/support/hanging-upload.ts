/** A process that is in the middle of an upload to a directory (its only argument) until it is killed. */
import { FilesystemBucket } from '../../src/objstore/filesystem.ts';

async function* halfOf(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(100_000);
  // Asked for the next chunk, so the one before is written.
  process.stdout.write('half\n');
  setInterval(() => undefined, 1000);
  await new Promise(() => undefined);
}

const bucket = new FilesystemBucket(process.argv[2] ?? '');
await bucket.upload('dir/object', { stream: halfOf() });
