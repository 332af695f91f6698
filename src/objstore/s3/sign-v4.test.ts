import { equal } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { authorizeV4, canonicalQuery, uriEncode, type SignableRequest } from './sign-v4.ts';

const NOTHING = sha256('');

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", Amazon S3 API Reference. */
test('signature v4: the examples of the S3 API reference', () => {
  const credentials = {
    accessKey: 'AKIAIOSFODNN7EXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    sessionToken: '',
  };
  const f = (
    request: Omit<SignableRequest, 'headers'> & {
      readonly headers?: Readonly<Record<string, string>>;
      readonly payloadHash?: string;
    },
    names: string,
    signature: string,
  ): void => {
    const { payloadHash = NOTHING, ...rest } = request;
    const headers = {
      host: 'examplebucket.s3.amazonaws.com',
      'x-amz-date': '20130524T000000Z',
      'x-amz-content-sha256': payloadHash,
      ...request.headers,
    };
    const scope = { credentials, region: 'us-east-1', service: 's3', payloadHash };
    equal(
      authorizeV4({ ...rest, headers }, { ...scope, now: Date.UTC(2013, 4, 24) }),
      `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ` +
        `SignedHeaders=${names}, Signature=${signature}`,
    );
  };
  f(
    { method: 'GET', path: '/test.txt', query: {}, headers: { range: 'bytes=0-9' } },
    'host;range;x-amz-content-sha256;x-amz-date',
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  );
  f(
    {
      method: 'PUT',
      path: `/${uriEncode('test$file.text', true)}`,
      query: {},
      headers: {
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
      payloadHash: sha256('Welcome to Amazon S3.'),
    },
    'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  );
  f(
    { method: 'GET', path: '/', query: { lifecycle: undefined } },
    'host;x-amz-content-sha256;x-amz-date',
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  );
  f(
    { method: 'GET', path: '/', query: { prefix: 'J', 'max-keys': '2' } },
    'host;x-amz-content-sha256;x-amz-date',
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  );
});

/** The "AWS Signature Version 4 Test Suite" (aws4_testsuite), by the names of its cases. */
test('signature v4: cases of the AWS test suite', () => {
  const credentials = {
    accessKey: 'AKIDEXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: '',
  };
  const f = (
    name: string,
    request: Partial<SignableRequest>,
    signature: string,
    body = '',
  ): void => {
    const headers = {
      host: 'example.amazonaws.com',
      'x-amz-date': '20150830T123600Z',
      ...request.headers,
    };
    const signed = authorizeV4(
      { method: 'GET', path: '/', query: {}, ...request, headers },
      {
        credentials,
        region: 'us-east-1',
        service: 'service',
        now: Date.UTC(2015, 7, 30, 12, 36),
        payloadHash: sha256(body),
      },
    );
    equal(/Signature=(.*)$/.exec(signed)?.[1], signature, name);
  };
  f('get-vanilla', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31');
  f(
    'get-vanilla-query-order-key-case',
    { query: { Param2: 'value2', Param1: 'value1' } },
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  );
  const unreserved = '-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  f(
    'get-vanilla-query-unreserved',
    { query: { [unreserved]: unreserved } },
    '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
  );
  f(
    'get-utf8',
    { path: uriEncode('/ሴ', true) },
    '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85',
  );
  f(
    'get-header-value-trim',
    { headers: { 'my-header1': ' value1', 'my-header2': ' "a   b   c"' } },
    'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  );
  f(
    'get-header-key-duplicate',
    { headers: { 'my-header1': 'value2,value2,value1' } },
    'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
  );
  f(
    'post-vanilla',
    { method: 'POST' },
    '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  );
  f(
    'post-x-www-form-urlencoded',
    { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    'Param1=value1',
  );
  f(
    'post-sts-header-before',
    {
      method: 'POST',
      headers: {
        'x-amz-security-token':
          'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==',
      },
    },
    '85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead',
  );
});

test('signature v4: encoding, as the S3 API reference describes UriEncode', () => {
  const f = (text: string, encoded: string): void => equal(uriEncode(text, true), encoded);
  f('a/b c', 'a/b%20c');
  f("-._~!'()*", '-._~%21%27%28%29%2A');
  f('a+b&=;,@:$', 'a%2Bb%26%3D%3B%2C%40%3A%24');
  f('%2f', '%252f');
  equal(uriEncode('a/b'), 'a%2Fb');
  equal(canonicalQuery({ b: 'x y', a: undefined, 'a+': '' }), 'a=&a%2B=&b=x%20y');
});
