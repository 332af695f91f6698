/** The gRPC service thanos.Store in front of a server of the StoreAPI. */
import { CodedError, errorCode, errorText } from '../../lib/errors.ts';
import { GrpcError } from '../../ops/grpc/status.ts';
import type { GrpcServer } from '../../ops/grpc/server.ts';
import type { ServerCall } from '../../ops/grpc/server-call.ts';
import {
  decodeLabelNamesRequest,
  decodeLabelValuesRequest,
  encodeLabelNamesResponse,
  encodeLabelValuesResponse,
} from './label-messages.ts';
import { type MakeMatcher, newMatcher } from './matcher-messages.ts';
import { decodeSeriesRequest } from './series-request.ts';
import type { StoreApi, StoreCall } from './store-api.ts';

/** The metadata that names a tenant, and the tenant of calls that name none. Behaviour: thanos pkg/tenancy. */
const TENANT_METADATA = 'thanos-tenant';
export const DEFAULT_TENANT = 'default-tenant';

/** The service's name, for reflection and health. */
export const STORE_SERVICE = 'thanos.Store';

/** Adds the service to a server. `make` makes the matchers of requests: one that keeps them may stand there. */
export function addStoreService(
  server: GrpcServer,
  store: StoreApi,
  make: MakeMatcher = newMatcher,
): void {
  server.add(`/${STORE_SERVICE}/Series`, 'server-stream', async (call, bytes) => {
    const request = decodeRequest('', () => decodeSeriesRequest(bytes, make));
    await store.series(request, {
      ...storeCall(call),
      write: (parts) => call.write(parts),
    });
  });
  const labels = 'translate request labels matchers: ';
  server.add(`/${STORE_SERVICE}/LabelNames`, 'unary', async (call, bytes) => {
    const request = decodeRequest(labels, () => decodeLabelNamesRequest(bytes, make));
    return encodeLabelNamesResponse(await store.labelNames(request, storeCall(call)));
  });
  server.add(`/${STORE_SERVICE}/LabelValues`, 'unary', async (call, bytes) => {
    const request = decodeRequest(labels, () => decodeLabelValuesRequest(bytes, make));
    return encodeLabelValuesResponse(await store.labelValues(request, storeCall(call)));
  });
}

function storeCall({ signal, metadata }: ServerCall): StoreCall {
  return { signal, tenant: metadata.get(TENANT_METADATA) ?? DEFAULT_TENANT };
}

/** Bytes that are no request are Internal, as in grpc-go; matchers that are none are the client's mistake. */
function decodeRequest<T>(prefix: string, decode: () => T): T {
  try {
    return decode();
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    if (errorCode(thrown) === 'bad_data') {
      throw new GrpcError('InvalidArgument', prefix + errorText(thrown), { cause: thrown });
    }
    throw new GrpcError('Internal', `grpc: error unmarshalling request: ${errorText(thrown)}`, {
      cause: thrown,
    });
  }
}
