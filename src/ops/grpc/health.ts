/**
 * grpc.health.v1.Health by the probe of the process. Behaviour: grpc-go health/server.go; as in Thanos there is one
 * service, the empty name.
 *
 * compat: Go Thanos says SERVING as soon as the process is healthy, even before it is ready. Here it is both or neither.
 */
import type { Probe } from '../probe.ts';
import { readFields, textField, writeFields } from './protobuf.ts';
import type { ServerStreamCall } from './server-call.ts';
import type { GrpcServer } from './server.ts';
import { GrpcError } from './status.ts';

const SERVICE = '/grpc.health.v1.Health';

/** HealthCheckResponse.ServingStatus. */
const STATUS = { serving: 1, notServing: 2, unknownService: 3 } as const;

/** Adds the service to a server. */
export function addHealth(server: GrpcServer, probe: Probe): void {
  const current = (): number =>
    probe.isReady && probe.isHealthy && !server.closing.aborted
      ? STATUS.serving
      : STATUS.notServing;
  server.add(`${SERVICE}/Check`, 'unary', async (_call, request) => {
    if (serviceOf(request) !== '') throw new GrpcError('NotFound', 'unknown service');
    return response(current());
  });
  server.add(`${SERVICE}/List`, 'unary', async () =>
    // A map is a repeated message of key 1 and value 2.
    writeFields([1, writeFields([1, ''], [2, response(current())])]),
  );
  server.add(`${SERVICE}/Watch`, 'server-stream', async (call, request) => {
    const known = serviceOf(request) === '';
    await watch(call, server, probe, () => (known ? current() : STATUS.unknownService));
  });
}

function serviceOf(request: Uint8Array): string {
  try {
    return textField(readFields(request), 1);
  } catch (thrown) {
    throw new GrpcError('Internal', 'grpc: failed to unmarshal the received message', {
      cause: thrown,
    });
  }
}

function response(status: number): Uint8Array {
  return writeFields([1, status]);
}

/** Sends the status, and again when it has changed, until the client or the server goes. */
async function watch(
  call: ServerStreamCall,
  server: GrpcServer,
  probe: Probe,
  current: () => number,
): Promise<void> {
  let changed = Promise.withResolvers<void>();
  const tell = (): void => changed.resolve();
  const unsubscribe = probe.onChange(tell);
  call.signal.addEventListener('abort', tell);
  server.closing.addEventListener('abort', tell);
  try {
    for (let sent: number | undefined; !call.signal.aborted;) {
      const status = current();
      if (status !== sent) await call.write(response(status));
      sent = status;
      if (server.closing.aborted) throw new GrpcError('Unavailable', 'the server is shutting down');
      await changed.promise;
      changed = Promise.withResolvers<void>();
    }
    throw new GrpcError('Canceled', 'Stream has ended.');
  } finally {
    unsubscribe();
    server.closing.removeEventListener('abort', tell);
  }
}
