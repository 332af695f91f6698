/**
 * Signatures of Tencent, Alibaba, Huawei and Baidu. Expected values were made by the vendors' own packages for Node:
 * cos-nodejs-sdk-v5 3.0.0 (getAuth), ali-oss 6.23.0 (buildCanonicalString, computeSignature), esdk-obs-nodejs 3.26.8
 * (doAuth), @baiducloud/sdk 1.0.7 (Auth.generateAuthorization).
 */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { authorizeBos } from './bos/open-bos.ts';
import { authorizeCos } from './cos/open-cos.ts';
import { OBS_V2 } from './obs/open-obs.ts';
import { OSS_V1 } from './oss/open-oss.ts';
import { authorizeV2 } from './s3/sign-v2.ts';
import { uriEncode } from './s3/sign-v4.ts';

type Texts = Readonly<Record<string, string | undefined>>;

test('signatures: COS', () => {
  const keyTime = '1700000000;1700003600';
  const host = 'thanos-1250000000.cos.ap-guangzhou.myqcloud.com';
  const f = (
    request: {
      readonly method: string;
      readonly object: string;
      readonly query?: Texts;
      readonly headers?: Readonly<Record<string, string>>;
    },
    headerList: string,
    parameters: string,
    signature: string,
  ): void => {
    const { query = {}, headers = {}, ...rest } = request;
    equal(
      authorizeCos(
        { ...rest, path: '/', query, headers: { host, ...headers } },
        { secretId: 'AKIDEXAMPLE', secretKey: 'secret', keyTime },
      ),
      `q-sign-algorithm=sha1&q-ak=AKIDEXAMPLE&q-sign-time=${keyTime}&q-key-time=${keyTime}` +
        `&q-header-list=${headerList}&q-url-param-list=${parameters}&q-signature=${signature}`,
    );
  };
  f(
    {
      method: 'PUT',
      object: 'dir/ü a+b!.txt',
      headers: { 'content-type': 'text/plain', 'content-md5': 'ndTkYSaMgDT1yFZOFVxnpg==' },
    },
    'content-md5;content-type;host',
    '',
    '13b306089450cf45dd78af7a7e5776d059167e7e',
  );
  f(
    {
      method: 'GET',
      object: '',
      query: {
        prefix: 'a/b c',
        delimiter: '/',
        'max-keys': '1000',
        'encoding-type': 'url',
        marker: 'é',
      },
    },
    'host',
    'delimiter;encoding-type;marker;max-keys;prefix',
    '7a1259d65fa9c3a63aaf0122cab53084347cf709',
  );
  f(
    {
      method: 'POST',
      object: 'a',
      query: { uploads: undefined },
      headers: { 'content-type': 'application/octet-stream' },
    },
    'content-type;host',
    'uploads',
    '200ccd31acbc30caf2c49c677464b346a6ca3ca3',
  );
});

const DATE = 'Tue, 14 Nov 2023 22:13:20 GMT';

test('signatures: OSS', () => {
  const credentials = {
    accessKey: '44CF9590006BF252F707',
    secretKey: 'OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV',
    sessionToken: '',
  };
  const f = (
    method: string,
    resource: string,
    given: { readonly headers?: Readonly<Record<string, string>>; readonly query?: Texts },
    signature: string,
  ): void => {
    const headers = { date: DATE, ...given.headers };
    const request = { method, path: '/', query: given.query ?? {}, headers };
    equal(
      authorizeV2(request, resource, credentials, OSS_V1),
      `OSS 44CF9590006BF252F707:${signature}`,
    );
  };
  f(
    'PUT',
    '/oss-example/nelson',
    {
      headers: {
        date: 'Thu, 17 Nov 2005 18:49:58 GMT',
        'content-md5': 'eB5eJF1ptWaXm4bijSPyxw==',
        'content-type': 'text/html',
        'x-oss-meta-author': 'foo@bar.com',
        'x-oss-magic': 'abracadabra',
      },
    },
    'hD208RWMpg77svXkQRwWXS+V5KQ=',
  );
  f(
    'PUT',
    '/thanos/dir/ü a',
    { query: { partNumber: '3', uploadId: 'ID=' } },
    'ntoy7e1kqFNZeRwKhCx/J9SdAV4=',
  );
  f('GET', '/thanos/', { query: { prefix: 'a' } }, '14MWziDM+6mhNzpW04Ne12uEqU8=');
  f(
    'POST',
    '/thanos/a',
    {
      query: { uploads: undefined },
      headers: { 'content-type': 'application/octet-stream' },
    },
    'GQpQdi8MXLRZrKR3it2pq38Dd18=',
  );
});

test('signatures: OBS', () => {
  const credentials = {
    accessKey: 'UDSIAMSTUBTEST000254',
    secretKey: 'secret',
    sessionToken: '',
  };
  const f = (
    method: string,
    resource: string,
    given: { readonly headers?: Readonly<Record<string, string>>; readonly query: Texts },
    signature: string,
  ): void => {
    const headers = { date: DATE, ...given.headers };
    const request = { method, path: '/', query: given.query, headers };
    equal(
      authorizeV2(request, resource, credentials, OBS_V2),
      `OBS UDSIAMSTUBTEST000254:${signature}`,
    );
  };
  f(
    'PUT',
    `/thanos/dir/${uriEncode('ü a')}`,
    {
      headers: { 'content-type': 'text/plain', 'x-obs-acl': 'private' },
      query: { partNumber: '3', uploadId: 'ID' },
    },
    '2IqXAh6WqqNh7tMSSonQRfpYGS4=',
  );
  f('GET', '/thanos/', { query: { delimiter: '/', prefix: 'a' } }, 'J8enjn81s2HxS4qUt/AWYyuetBo=');
  f('POST', '/thanos/a', { query: { uploads: undefined } }, 'dKvZ6x+y9X0zu9IfkkI2BzVqH1Q=');
});

test('signatures: BOS', () => {
  const f = (
    request: {
      readonly method: string;
      readonly path: string;
      readonly query: Texts;
      readonly headers: Readonly<Record<string, string>>;
    },
    date: string,
    rest: string,
  ): void => {
    const key = { accessKey: 'my_ak', secretKey: 'my_sk', date };
    equal(authorizeBos(request, key), `bce-auth-v1/my_ak/${date}/1800/${rest}`);
  };
  f(
    {
      method: 'PUT',
      path: '/v1/test/myfolder/readme.txt',
      query: { partNumber: '9', uploadId: 'VXBsb2FkIElpZS5tMnRzIHVwbG9hZA' },
      headers: {
        host: 'bj.bcebos.com',
        'content-type': 'text/plain',
        'content-length': '8',
        'content-md5': 'NFzcPqhviddjRNnSOGo4rw==',
        'x-bce-date': '2015-04-27T08:23:49Z',
      },
    },
    '2015-04-27T08:23:49Z',
    'content-length;content-md5;content-type;host;x-bce-date/588bbf4097c7516d3d93c4df2596d571a0c07bc8a49b263cd949c5e724ae3b38',
  );
  f(
    {
      method: 'GET',
      path: '/thanos',
      query: { prefix: 'a/b c', delimiter: '/', maxKeys: '1000' },
      headers: { host: 'bj.bcebos.com' },
    },
    '2023-11-14T22:13:20Z',
    'host/776e0c32aa714a403822e51ef1875172655b3b1532b77f4cb233b23bbd69e23a',
  );
  f(
    {
      method: 'POST',
      path: `/thanos/dir/${uriEncode('ü a')}`,
      query: { uploads: undefined },
      headers: { host: 'bj.bcebos.com', 'x-bce-date': '2023-11-14T22:13:20Z' },
    },
    '2023-11-14T22:13:20Z',
    'host;x-bce-date/cfb656b44d25b21fa0838e2ca039a8663ed8ea37f507d5b23998a9dec565d8e3',
  );
});
