/**
 * A process that ships a TSDB's directory to a bucket in another, and hangs before its n-th request until it is killed:
 * `hanging-shipper.ts <tsdb> <bucket> <n>`. Prints `hanging` there, or `done` when there was no n-th.
 */
import { Shipper } from '../../src/bucket/shipper.ts';
import { FakeClock } from '../../src/lib/clock.ts';
import { nopLogger } from '../../src/lib/log.ts';
import { Labels } from '../../src/model/labels.ts';
import { FilesystemBucket } from '../../src/objstore/filesystem.ts';
import { FaultyBucket } from './faulty-bucket.ts';

const [directory = '', bucketDirectory = '', nth = ''] = process.argv.slice(2);
const bucket = new FaultyBucket(new FilesystemBucket(bucketDirectory), (_, n) => {
  if (n !== Number(nth)) return undefined;
  process.stdout.write('hanging\n');
  setInterval(() => undefined, 1000);
  return { kind: 'hold', until: new Promise(() => undefined) };
});
const shipper = new Shipper({
  directory,
  bucket,
  labels: () => Labels.fromObject({ replica: 'a' }),
  source: 'receive',
  clock: new FakeClock(0),
  log: nopLogger,
});
await shipper.sync();
process.stdout.write('done\n');
