import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { bucketAddress, type EndpointOptions, regionOfEndpoint } from './s3-endpoint.ts';

/** Expected values: minio-go v7.0.95, api.go and pkg/s3utils/utils_test.go. */
test('s3 endpoint: regions in names of hosts', () => {
  const f = (endpoint: string, region: string | undefined): void =>
    equal(regionOfEndpoint(endpoint), region, endpoint);
  f('s3.us-west-2.amazonaws.com', 'us-west-2');
  f('s3-us-west-1.amazonaws.com', 'us-west-1');
  f('s3.dualstack.eu-west-1.amazonaws.com', 'eu-west-1');
  f('s3.cn-north-1.amazonaws.com.cn', 'cn-north-1');
  f('s3-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1');
  f('s3.us-gov-east-1.amazonaws.com:443', 'us-gov-east-1');
  f('bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com', 'us-east-1');
  f('s3.amazonaws.com', undefined);
  f('minio.example.org:9000', undefined);
  f('s3.eu-central-1.example.com', undefined);
  f('127.0.0.1:9000', undefined);
});

test('s3 endpoint: addresses', () => {
  const f = (
    given: Partial<EndpointOptions> & { readonly endpoint: string },
    address: readonly [origin: string, path: string],
    region = 'us-east-1',
  ): void => {
    const options = {
      bucket: 'thanos',
      insecure: false,
      dualstack: true,
      lookup: 'auto',
      ...given,
    } as const;
    const { origin, path } = bucketAddress(options, region);
    deepEqual([origin, path], address);
  };
  f({ endpoint: 's3.amazonaws.com' }, ['https://thanos.s3.dualstack.us-east-1.amazonaws.com', '']);
  f(
    { endpoint: 's3.eu-west-1.amazonaws.com', dualstack: false },
    ['https://thanos.s3.eu-west-1.amazonaws.com', ''],
    'eu-west-1',
  );
  f(
    { endpoint: 's3.cn-north-1.amazonaws.com.cn' },
    ['https://thanos.s3.dualstack.cn-north-1.amazonaws.com.cn', ''],
    'cn-north-1',
  );
  f({ endpoint: 's3.amazonaws.com', lookup: 'path' }, [
    'https://s3.dualstack.us-east-1.amazonaws.com',
    '/thanos',
  ]);
  // No certificate covers two dots.
  f({ endpoint: 's3.amazonaws.com', bucket: 'a.b' }, [
    'https://s3.dualstack.us-east-1.amazonaws.com',
    '/a.b',
  ]);
  f({ endpoint: 's3-fips.us-east-1.amazonaws.com' }, [
    'https://thanos.s3-fips.us-east-1.amazonaws.com',
    '',
  ]);
  f({ endpoint: 'minio:9000', insecure: true }, ['http://minio:9000', '/thanos']);
  f({ endpoint: 'minio:9000', insecure: true, lookup: 'virtual-hosted' }, [
    'http://thanos.minio:9000',
    '',
  ]);
  f({ endpoint: '127.0.0.1:9000' }, ['https://127.0.0.1:9000', '/thanos']);
  f({ endpoint: '[::1]:9000' }, ['https://[::1]:9000', '/thanos']);
  f({ endpoint: 'storage.googleapis.com' }, ['https://thanos.storage.googleapis.com', '']);
  f({ endpoint: 'oss-cn-hangzhou.aliyuncs.com' }, [
    'https://thanos.oss-cn-hangzhou.aliyuncs.com',
    '',
  ]);
  f({ endpoint: 'minio:443' }, ['https://minio', '/thanos']);
  f({ endpoint: 'minio:80', insecure: true }, ['http://minio', '/thanos']);
});
