/** Runs s3rver, a server of S3, as a process of its own: its logger listens for uncaught exceptions of the process. */
import { createRequire } from 'node:module';

interface S3rver {
  run(): Promise<{ readonly port: number }>;
}
type MakeS3rver = new (options: object) => S3rver;

const [directory = '', buckets = ''] = process.argv.slice(2);
const S3rverServer = createRequire(import.meta.url)('s3rver') as MakeS3rver;
const server = new S3rverServer({
  address: '127.0.0.1',
  port: 0,
  silent: true,
  directory,
  configureBuckets: buckets.split(',').map((name) => ({ name })),
});
const { port } = await server.run();
process.send?.({ port });
// The end of whoever started this is ours as well.
process.on('disconnect', () => process.exit());
