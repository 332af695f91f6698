import assert from 'node:assert/strict';
import test from 'node:test';
import { parseLabels } from '../ops/flag-labels.ts';
import { parseArgs } from '../ops/flags.ts';
import { allCommand } from './all-flags.ts';

test('defaults of thanos all', () => {
  const result = parseArgs(allCommand, []);
  assert.equal(result.kind, 'values');
  if (result.kind !== 'values') return;
  const { values } = result;
  assert.deepEqual(values.show(), {
    'auto-gomemlimit.ratio': '0.9',
    'data-dir': './data',
    'debug.name': '',
    'enable-auto-gomemlimit': 'false',
    'enable-feature': '',
    'grpc-address': '127.0.0.1:10901',
    'grpc-grace-period': '2m0s',
    'grpc-server-max-connection-age': '1h0m0s',
    'grpc-server-tls-cert': '',
    'grpc-server-tls-ciphers': '',
    'grpc-server-tls-client-ca': '',
    'grpc-server-tls-curves': '',
    'grpc-server-tls-key': '',
    'grpc-server-tls-min-version': '1.3',
    'hash-func': '',
    'http-address': '127.0.0.1:10902',
    'http-grace-period': '2m',
    'http.config': '',
    label: 'replica="0"',
    'log.format': 'logfmt',
    'log.level': 'info',
    'objstore.config': '<REDACTED>',
    'objstore.config-file': '<REDACTED>',
    'query.active-query-path': '',
    'query.default-evaluation-interval': '1m',
    'query.log-file': '',
    'query.lookback-delta': '5m',
    'query.max-concurrent': '20',
    'query.max-concurrent-select': '4',
    'query.max-samples': '50000000',
    'query.mode': 'local',
    'query.promql-engine': 'prometheus',
    'query.replica-label': 'replica',
    'query.timeout': '2m',
    'remote-write.address': '127.0.0.1:19291',
    'remote-write.max-body-size': '64MB',
    'request.logging-config': '',
    'request.logging-config-file': '',
    'shipper.upload-compacted': 'true',
    'storage.remote.read-concurrent-limit': '10',
    'storage.remote.read-max-bytes-in-frame': '1048576',
    'storage.remote.read-sample-limit': '50000000',
    'tracing.config': '',
    'tracing.config-file': '',
    'tsdb.block-reload-interval': '1m',
    'tsdb.max-exemplars': '100000',
    'tsdb.max-retention-bytes': '0B',
    'tsdb.memory-snapshot-on-shutdown': 'false',
    'tsdb.out-of-order.time-window': '0s',
    'tsdb.path': '',
    'tsdb.retention': '15d',
    'wal.fsync': 'segment',
    'web.disable-cors': 'false',
    'web.enable-admin-api': 'false',
  });
  assert.equal(parseLabels(values.strings('label')).toString(), '{replica="0"}');
  assert.equal(values.number('remote-write.max-body-size'), 64 * 1024 * 1024);
});
