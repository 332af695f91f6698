/**
 * The flags about gRPC: of the server that components have, and of the clients of query. Behaviour: thanos
 * cmd/thanos/config.go, grpcConfig and grpcClientConfig; pkg/tls/options.go for the values.
 */
import type { FlagSpec } from '../ops/flag-spec.ts';

/** The values of the flags about TLS versions. */
const TLS_VERSIONS: readonly string[] = ['1.0', '1.1', '1.2', '1.3'];

/** The table of a server; `address` is where it listens by default. */
export function grpcServerFlags(address = '0.0.0.0:10901'): FlagSpec[] {
  return [
    {
      name: 'grpc-address',
      kind: 'string',
      default: address,
      help: 'Where the gRPC server (StoreAPI) listens, as host:port; other components must reach it there.',
    },
    ...serverTlsFlags(),
    {
      name: 'grpc-server-max-connection-age',
      kind: 'duration',
      goDuration: true,
      default: '60m',
      help: 'How old a gRPC connection may become: clients then connect anew, which also repeats the TLS handshake.',
    },
    {
      name: 'grpc-grace-period',
      kind: 'duration',
      goDuration: true,
      default: '2m',
      help: 'How long a stop waits for gRPC calls that are under way.',
    },
  ];
}

function serverTlsFlags(): FlagSpec[] {
  return [
    {
      name: 'grpc-server-tls-cert',
      kind: 'string',
      default: '',
      help: 'File with the certificate of the gRPC server; without one there is no TLS.',
    },
    {
      name: 'grpc-server-tls-key',
      kind: 'string',
      default: '',
      help: 'File with the key of the gRPC server; without one there is no TLS.',
    },
    {
      name: 'grpc-server-tls-client-ca',
      kind: 'string',
      default: '',
      help: 'File with the CA that clients are verified by; without one no client needs a certificate.',
    },
    {
      name: 'grpc-server-tls-min-version',
      kind: 'enum',
      values: TLS_VERSIONS,
      default: '1.3',
      help: 'Oldest version of TLS that the gRPC server accepts: 1.0, 1.1, 1.2 or 1.3.',
    },
    {
      name: 'grpc-server-tls-ciphers',
      kind: 'string',
      repeatable: true,
      help: 'Cipher suites of the gRPC server, by their names in Go (repeatable); by default all that are safe.',
    },
    {
      name: 'grpc-server-tls-curves',
      kind: 'string',
      repeatable: true,
      help: 'Curves of the gRPC server (repeatable): CurveP256, CurveP384, CurveP521, X25519; by default all of them.',
    },
  ];
}

const INSTEAD = 'Deprecated, the configuration of endpoints has it, too:';

/** The table of query's clients. */
export function grpcClientFlags(): FlagSpec[] {
  return [
    {
      name: 'grpc-client-tls-secure',
      kind: 'bool',
      help: `${INSTEAD} whether gRPC servers are asked over TLS.`,
    },
    {
      name: 'grpc-client-tls-skip-verify',
      kind: 'bool',
      help: `${INSTEAD} whether any certificate of a server is accepted.`,
    },
    {
      name: 'grpc-client-tls-cert',
      kind: 'string',
      default: '',
      help: `${INSTEAD} file with the certificate shown to servers.`,
    },
    {
      name: 'grpc-client-tls-key',
      kind: 'string',
      default: '',
      help: `${INSTEAD} file with the key of that certificate.`,
    },
    {
      name: 'grpc-client-tls-ca',
      kind: 'string',
      default: '',
      help: `${INSTEAD} file with the CA that servers are verified by.`,
    },
    {
      name: 'grpc-client-server-name',
      kind: 'string',
      default: '',
      help: `${INSTEAD} the name that the certificates of servers must have.`,
    },
    {
      name: 'grpc-compression',
      kind: 'enum',
      values: ['snappy', 'none'],
      default: 'none',
      help: `${INSTEAD} how requests are compressed: snappy or none.`,
    },
    {
      name: 'grpc-client-tls-min-version',
      kind: 'enum',
      values: TLS_VERSIONS,
      default: '1.3',
      help: `${INSTEAD} oldest version of TLS that is accepted: 1.0, 1.1, 1.2 or 1.3.`,
    },
  ];
}
