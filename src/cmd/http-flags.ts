/** The flags about the HTTP server that every component has. Behaviour: thanos cmd/thanos/config.go, httpConfig. */
import type { FlagSpec } from '../ops/flag-spec.ts';

/** The table; `address` is where the server listens by default. */
export function httpFlags(address = '0.0.0.0:10902'): FlagSpec[] {
  return [
    {
      name: 'http-address',
      kind: 'string',
      default: address,
      help: 'Where the HTTP server listens, as host:port.',
    },
    {
      name: 'http-grace-period',
      kind: 'duration',
      default: '2m',
      help: 'How long a stop waits for HTTP requests that are under way.',
    },
    {
      name: 'http.config',
      kind: 'string',
      default: '',
      // A path, whatever its name ends in.
      secret: false,
      help: 'Path to a file that turns on TLS, basic authentication or headers for all HTTP endpoints; it is read anew when it changes.',
    },
  ];
}
