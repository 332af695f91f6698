import assert from 'node:assert/strict';
import test from 'node:test';
import type { FlagSpec } from '../ops/flag-spec.ts';
import { parseArgs } from '../ops/flags.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { grpcClientFlags, grpcServerFlags } from './grpc-flags.ts';
import { httpFlags } from './http-flags.ts';
import { requestLoggingFlags } from './request-logging-flags.ts';

/** Name, what `--help` of the Go program shows behind it (nothing for bools), and whether it can be repeated. */
type Fact = readonly [name: string, value: string | undefined, repeatable?: true];

/** From the help of `thanos store`, `sidecar` and `query` 0.43, which have the same. */
const HTTP: readonly Fact[] = [
  ['http-address', '"0.0.0.0:10902"'],
  ['http-grace-period', '2m'],
  ['http.config', '""'],
];
const GRPC_SERVER: readonly Fact[] = [
  ['grpc-address', '"0.0.0.0:10901"'],
  ['grpc-server-tls-cert', '""'],
  ['grpc-server-tls-key', '""'],
  ['grpc-server-tls-client-ca', '""'],
  ['grpc-server-tls-min-version', '1.3'],
  ['grpc-server-tls-ciphers', 'GRPC-SERVER-TLS-CIPHERS', true],
  ['grpc-server-tls-curves', 'GRPC-SERVER-TLS-CURVES', true],
  ['grpc-server-max-connection-age', '60m'],
  ['grpc-grace-period', '2m'],
];
const GRPC_CLIENT: readonly Fact[] = [
  ['grpc-client-tls-secure', undefined],
  ['grpc-client-tls-skip-verify', undefined],
  ['grpc-client-tls-cert', '""'],
  ['grpc-client-tls-key', '""'],
  ['grpc-client-tls-ca', '""'],
  ['grpc-client-server-name', '""'],
  ['grpc-compression', 'none'],
  ['grpc-client-tls-min-version', '1.3'],
];
const REQUEST_LOGGING: readonly Fact[] = [
  ['request.logging-config-file', '<file-path>'],
  ['request.logging-config', '<content>'],
];
const GLOBAL: readonly Fact[] = [
  ['log.level', 'info'],
  ['log.format', 'logfmt'],
  ['tracing.config-file', '<file-path>'],
  ['tracing.config', '<content>'],
  ['enable-auto-gomemlimit', undefined],
  ['auto-gomemlimit.ratio', '0.9'],
];

function help(flags: readonly FlagSpec[], argument: string): string {
  const result = parseArgs({ name: 'x', description: '', flags }, [argument]);
  assert.equal(result.kind, 'help');
  return result.kind === 'help' ? result.text : '';
}

test('the shared groups have the names, defaults and kinds of the Go programs', () => {
  const f = (flags: readonly FlagSpec[], facts: readonly Fact[]) => {
    const shown = [...help(flags, '--help').matchAll(/^ +(?:-h, )?--(.+?)(?: {2}.*)?$/gm)]
      .map(([, usage]) => usage ?? '')
      .filter((usage) => !/^\[no-\](?:help|version)$/.test(usage));
    const want = facts.map(([name, value, repeatable]) =>
      value === undefined ? `[no-]${name}` : `${name}=${value}${repeatable ? ' ...' : ''}`,
    );
    assert.deepEqual(shown, want);
  };
  f(httpFlags(), HTTP);
  f(grpcServerFlags(), GRPC_SERVER);
  f(grpcClientFlags(), GRPC_CLIENT);
  f(requestLoggingFlags(), REQUEST_LOGGING);
  f(GLOBAL_FLAGS, GLOBAL);
});

test('debug.name is hidden', () => {
  assert.doesNotMatch(help(GLOBAL_FLAGS, '--help'), /debug\.name/);
  assert.match(help(GLOBAL_FLAGS, '--help-long'), /--debug\.name=DEBUG\.NAME/);
});

test('values as /api/v1/status/flags of the Go programs shows them', () => {
  const flags = [
    ...httpFlags(),
    ...grpcServerFlags(),
    ...grpcClientFlags(),
    ...requestLoggingFlags(),
  ];
  const show = (...argv: string[]) => {
    const result = parseArgs({ name: 'x', description: '', flags }, argv);
    assert.equal(result.kind, 'values', JSON.stringify(result));
    return result.kind === 'values' ? result.values.show() : {};
  };
  // From the answer of `thanos query` 0.43, but for the addresses.
  assert.deepEqual(show(), {
    'grpc-address': '0.0.0.0:10901',
    'grpc-client-server-name': '',
    'grpc-client-tls-ca': '',
    'grpc-client-tls-cert': '',
    'grpc-client-tls-key': '',
    'grpc-client-tls-min-version': '1.3',
    'grpc-client-tls-secure': 'false',
    'grpc-client-tls-skip-verify': 'false',
    'grpc-compression': 'none',
    'grpc-grace-period': '2m0s',
    'grpc-server-max-connection-age': '1h0m0s',
    'grpc-server-tls-cert': '',
    'grpc-server-tls-ciphers': '',
    'grpc-server-tls-client-ca': '',
    'grpc-server-tls-curves': '',
    'grpc-server-tls-key': '',
    'grpc-server-tls-min-version': '1.3',
    'http-address': '0.0.0.0:10902',
    'http-grace-period': '2m',
    'http.config': '',
    'request.logging-config': '',
    'request.logging-config-file': '',
  });
  const set = show('--http.config=web.yml', '--request.logging-config=options: {}');
  assert.equal(set['http.config'], 'web.yml');
  assert.equal(set['request.logging-config'], 'options: {}');
});
