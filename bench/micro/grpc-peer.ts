/** The server process of the `grpc` bench: ours and grpc-js' side by side. Prints their addresses as JSON. */
import { Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { nopLogger } from '../../src/lib/log.ts';
import { GrpcServerMetrics } from '../../src/ops/grpc/metrics.ts';
import { GrpcServer } from '../../src/ops/grpc/server.ts';
import { ProcessMetrics } from '../../src/ops/metrics.ts';

const [count, size] = [0, 4] as const;
const pass = (bytes: Buffer): Buffer => bytes;

async function startOurs(): Promise<string> {
  const metrics = new GrpcServerMetrics(new ProcessMetrics());
  const server = new GrpcServer({ log: nopLogger, metrics });
  server.add('/bench.Bench/Stream', 'server-stream', async (call, request) => {
    const view = Buffer.from(request);
    const message = Buffer.alloc(view.readUInt32LE(size), 1);
    for (let left = view.readUInt32LE(count); left > 0; left--) await call.write(message);
  });
  server.add('/bench.Bench/Unary', 'unary', (_call, request) => Promise.resolve(request));
  return server.listen('127.0.0.1:0');
}

async function startTheirs(): Promise<string> {
  const server = new Server({ 'grpc-node.flow_control_window': 1024 * 1024 });
  const codec = {
    requestSerialize: pass,
    requestDeserialize: pass,
    responseSerialize: pass,
    responseDeserialize: pass,
  };
  server.addService(
    {
      stream: { path: '/bench.Bench/Stream', requestStream: false, responseStream: true, ...codec },
      unary: { path: '/bench.Bench/Unary', requestStream: false, responseStream: false, ...codec },
    },
    {
      stream: (call: ServerWritableStream<Buffer, Buffer>) => {
        const message = Buffer.alloc(call.request.readUInt32LE(size), 1);
        let left = call.request.readUInt32LE(count);
        const go = (): void => {
          while (left > 0) {
            left--;
            if (!call.write(message)) return void call.once('drain', go);
          }
          call.end();
        };
        go();
      },
      unary: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) =>
        done(null, call.request),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}

console.log(JSON.stringify({ ours: await startOurs(), theirs: await startTheirs() }));
process.on('disconnect', () => process.exit());
