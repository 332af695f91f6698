/** Our gRPC server and client for tests. */
import type { TestContext } from 'node:test';
import { nopLogger } from '../../src/lib/log.ts';
import { GrpcChannel, type GrpcChannelOptions } from '../../src/ops/grpc/channel.ts';
import { GrpcServerMetrics } from '../../src/ops/grpc/metrics.ts';
import { GrpcServer, type GrpcServerOptions } from '../../src/ops/grpc/server.ts';
import { ProcessMetrics } from '../../src/ops/metrics.ts';

/** A server that listens, and where. */
export interface TestServer {
  readonly server: GrpcServer;
  readonly address: string;
  readonly metrics: ProcessMetrics;
}

/** Starts a server with these methods on a free port of the loopback interface, or on one, until the end of the test. */
export async function startGrpc(
  t: TestContext,
  addMethods: (server: GrpcServer) => void,
  { port = 0, ...options }: Partial<GrpcServerOptions> & { port?: number } = {},
): Promise<TestServer> {
  const metrics = new ProcessMetrics();
  const server = new GrpcServer({
    log: nopLogger,
    metrics: new GrpcServerMetrics(metrics),
    ...options,
  });
  addMethods(server);
  const address = await server.listen(`127.0.0.1:${port}`);
  t.after(() => server.close());
  return { server, address, metrics };
}

/** A channel that is closed at the end of the test. */
export function openChannel(
  t: TestContext,
  address: string,
  options: GrpcChannelOptions = {},
): GrpcChannel {
  const channel = new GrpcChannel(address, options);
  t.after(() => channel.close());
  return channel;
}

/** A condition that the peer brings about; the test's own limit of time ends a wait in vain. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}
