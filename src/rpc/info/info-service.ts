/** The gRPC service thanos.info.Info: what a server offers. Behaviour: thanos pkg/info/info.go. */
import type { GrpcServer } from '../../ops/grpc/server.ts';
import { GrpcError } from '../../ops/grpc/status.ts';
import { checkInfoRequest, encodeInfoResponse } from './info-messages.ts';
import type { ServerInfo } from './info-messages.ts';

/** The service's name, for reflection. */
export const INFO_SERVICE = 'thanos.info.Info';

/** Adds the service to a server. `info` answers undefined while the server is not ready. */
export function addInfoService(server: GrpcServer, info: () => ServerInfo | undefined): void {
  server.add(`/${INFO_SERVICE}/Info`, 'unary', async (_call, request) => {
    checkInfoRequest(request);
    const now = info();
    if (now === undefined) throw new GrpcError('Unknown', 'Not ready');
    return encodeInfoResponse(now);
  });
}
