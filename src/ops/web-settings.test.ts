import assert from 'node:assert/strict';
import test from 'node:test';
import { CodedError } from '../lib/errors.ts';
import { parseWebSettings } from './web-settings.ts';

const parse = (text: string) => parseWebSettings({ name: 'web.yml', text }, '/etc/thanos');

test('an empty file means plain HTTP for everybody', async () => {
  assert.deepEqual(await parse(''), {
    tls: undefined,
    http2: true,
    headers: new Map(),
    users: new Map(),
    rateLimit: undefined,
  });
});

test('all fields', async () => {
  const got = await parse(`
tls_server_config:
  cert_file: tls/server.crt
  key: |
    -----BEGIN PRIVATE KEY-----
  client_ca_file: /ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [a.b, 1.2.3.4]
  min_version: TLS12
  max_version: TLS13
  prefer_server_cipher_suites: false
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384]
  curve_preferences: [X25519, CurveP256]
http_server_config:
  http2: off
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
rate_limit:
  interval: 100ms
  burst: 20
basic_auth_users:
  alice: $2y$10$x
  012: ''
`);
  assert.deepEqual(got, {
    tls: {
      cert: { path: '/etc/thanos/tls/server.crt' },
      key: { text: '-----BEGIN PRIVATE KEY-----\n' },
      clientCa: { path: '/ca.pem' },
      clientAuth: 'RequireAndVerifyClientCert',
      allowedSans: ['a.b', '1.2.3.4'],
      limits: {
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.3',
        // Those of TLS 1.3 are always on in Go.
        ciphers:
          'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
        ecdhCurve: 'X25519:P-256',
        honorCipherOrder: false,
      },
    },
    http2: false,
    headers: new Map([
      ['X-Frame-Options', 'deny'],
      ['Strict-Transport-Security', 'max-age=31536000'],
    ]),
    users: new Map([
      ['alice', '$2y$10$x'],
      ['012', ''],
    ]),
    rateLimit: { intervalMs: 100, burst: 20 },
  });
});

test('what is wrong is said with file, line and field, in the words of exporter-toolkit where it has some', async () => {
  const bad = (text: string, want: string) =>
    assert.rejects(parse(text), (thrown: unknown) => {
      assert.ok(thrown instanceof CodedError);
      assert.equal(thrown.code, 'bad_data');
      assert.ok(thrown.message.includes(want), `${thrown.message} has ${want}`);
      return true;
    });
  await bad('hWkNKCp3fvIEG38KIqxi', 'web.yml:1: expected a mapping');
  await bad('tls_config:\n  cert_file: x', 'web.yml:1: tls_config: unknown field');
  await bad(
    'tls_server_config:\n  cert_filee: x',
    'web.yml:2: tls_server_config.cert_filee: unknown field, expected cert_file',
  );
  await bad('tls_server_config:\n  key_file: x', 'missing one of cert or cert_file');
  await bad('tls_server_config:\n  cert_file: x', 'missing one of key or key_file');
  await bad(
    'tls_server_config:\n  cert_file: x\n  key_file: y\n  client_ca_file: z',
    "web.yml:4: tls_server_config.client_ca_file: client CA's have been configured without a Client Auth Policy",
  );
  await bad(
    'tls_server_config:\n  cert_file: x\n  key_file: y\n  client_auth_type: Sometimes',
    'web.yml:4: tls_server_config.client_auth_type: invalid ClientAuth: Sometimes',
  );
  await bad('tls_server_config:\n  min_version: TLS111', 'unknown TLS version: TLS111');
  await bad('tls_server_config:\n  min_version: TLS13\n  max_version: TLS12', 'no TLS version');
  await bad(
    'tls_server_config:\n  cipher_suites:\n  - TLS_AES_128_GCM_SHA256\n  - TLS_RSA_WITH_RC4_128_SHA',
    'web.yml:4: tls_server_config.cipher_suites[1]: unknown cipher: TLS_RSA_WITH_RC4_128_SHA',
  );
  await bad(
    'tls_server_config:\n  curve_preferences: [CurveP257]',
    'web.yml:2: tls_server_config.curve_preferences[0]: unknown curve: CurveP257',
  );
  await bad(
    'tls_server_config:\n  cert_file: x\n  key_file: y\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]',
    'http2: TLSConfig.CipherSuites is missing an HTTP/2-required AES_128_GCM_SHA256 cipher',
  );
  await bad(
    'http_server_config:\n  http2: maybe',
    'http_server_config.http2: expected true or false',
  );
  await bad(
    'http_server_config:\n  headers:\n    X-Test: x',
    'web.yml:3: http_server_config.headers.X-Test: HTTP header "X-Test" can not be configured',
  );
  await bad(
    'http_server_config:\n  headers:\n    X-Frame-Options: allow',
    'invalid value for X-Frame-Options. Expected one of: ["deny" "sameorigin"], but got: "allow"',
  );
  await bad(
    'http_server_config:\n  headers:\n    Content-Security-Policy: "a\\nb"',
    'Invalid character in header content',
  );
  await bad('basic_auth_users: [a]', 'expected a mapping');
  await bad('rate_limit:\n  interval: 5', 'rate_limit.interval: expected a duration');
  await bad('rate_limit:\n  burst: 1.5', 'rate_limit.burst: expected a whole number, is "1.5"');
});

test('HTTP/2 needs no suite of TLS 1.2 where there is none, and none is asked for without it', async () => {
  const suites = 'cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA]';
  const files = 'cert_file: x\n  key_file: y';
  await parse(`tls_server_config:\n  ${files}\n  ${suites}\n  min_version: TLS13`);
  await parse(`tls_server_config:\n  ${files}\n  ${suites}\nhttp_server_config: {http2: false}`);
});
