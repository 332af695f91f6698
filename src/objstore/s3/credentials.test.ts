import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { startS3Server } from '../../../test/support/s3-server.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { FakeClock, systemClock } from '../../lib/clock.ts';
import { nopLogger } from '../../lib/log.ts';
import { parseBucketConfig } from '../config.ts';
import { ChainedCredentials, type Credentials } from './credentials.ts';
import { environmentCredentials, sharedFileCredentials } from './local-credentials.ts';
import { openS3 } from './open-s3.ts';
import {
  containerCredentials,
  machineCredentials,
  webIdentityCredentials,
} from './remote-credentials.ts';
import { sdkCredentials } from './sdk-credentials.ts';

const A: Credentials = { accessKey: 'A', secretKey: 'S', sessionToken: 'T' };

/** A server of credentials: answers by path, and what it was asked. */
async function serve(
  answers: Readonly<Record<string, string | (() => string)>>,
): Promise<
  { readonly url: string; readonly asked: (IncomingMessage & { text: string })[] } & AsyncDisposable
> {
  const asked: (IncomingMessage & { text: string })[] = [];
  const server = createServer((request, answer) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      asked.push(Object.assign(request, { text }));
      const found = answers[`${request.method} ${request.url}`];
      answer.writeHead(found === undefined ? 404 : 200);
      answer.end(typeof found === 'function' ? found() : (found ?? 'none'));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('s3 credentials: the environment', async () => {
  const f = async (env: Record<string, string>, want: Credentials | undefined): Promise<void> =>
    deepEqual(await environmentCredentials(env).load(), want);
  await f({}, undefined);
  await f({ AWS_ACCESS_KEY_ID: 'A' }, undefined);
  await f({ AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S', AWS_SESSION_TOKEN: 'T' }, A);
  await f({ AWS_ACCESS_KEY: 'A', AWS_SECRET_KEY: 'S' }, { ...A, sessionToken: '' });
});

test('s3 credentials: the shared file', async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, 'credentials');
  writeFileSync(
    file,
    `# a comment
[default]
aws_access_key_id = D
aws_secret_access_key=x=y

[ other ]
aws_access_key_id=A
 aws_secret_access_key = S
aws_session_token = T
[half]
aws_access_key_id=A
`,
  );
  const f = async (profile: string, want: Credentials | undefined): Promise<void> => {
    const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: profile };
    deepEqual(await sharedFileCredentials(env).load(), want);
  };
  await f('', { accessKey: 'D', secretKey: 'x=y', sessionToken: '' });
  await f('other', A);
  await f('half', undefined);
  await f('none', undefined);
  const none = { AWS_SHARED_CREDENTIALS_FILE: join(directory.path, 'none') };
  equal(await sharedFileCredentials(none).load(), undefined);
});

test('s3 credentials: the token of a service account', async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, 'token');
  writeFileSync(file, 'jwt&=\n');
  await using sts = await serve({
    'POST /': `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>A</AccessKeyId>
<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>
<Expiration>2030-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`,
  });
  const env = {
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/thanos',
    AWS_ROLE_SESSION_NAME: 'here',
  };
  const found = await webIdentityCredentials(env, sts.url).load();
  deepEqual(found, { ...A, expiresAt: Date.UTC(2030, 0, 2, 3, 4, 5) });
  deepEqual(Object.fromEntries(new URLSearchParams(sts.asked[0]?.text)), {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: 'arn:aws:iam::1:role/thanos',
    RoleSessionName: 'here',
    WebIdentityToken: 'jwt&=',
  });
  equal(await webIdentityCredentials({}, sts.url).load(), undefined);
  const none = { ...env, AWS_WEB_IDENTITY_TOKEN_FILE: join(directory.path, 'none') };
  await rejects(webIdentityCredentials(none, sts.url).load(), {
    message: /^read the token .*ENOENT/,
  });
  await rejects(webIdentityCredentials(env, `${sts.url}/other`).load(), { message: /answers 404/ });
});

const JSON_A =
  '{"AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2030-01-02T03:04:05Z"}';

test('s3 credentials: containers', async () => {
  await using server = await serve({ 'GET /v2/creds?id=1': JSON_A });
  const expiresAt = Date.UTC(2030, 0, 2, 3, 4, 5);
  const relative = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/creds?id=1' };
  deepEqual(await containerCredentials(relative, server.url).load(), { ...A, expiresAt });
  const full = {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/v2/creds?id=1`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Bearer x',
  };
  deepEqual(await containerCredentials(full).load(), { ...A, expiresAt });
  deepEqual(
    server.asked.map(({ headers }) => headers.authorization),
    [undefined, 'Bearer x'],
  );
  equal(await containerCredentials({}).load(), undefined);
});

test('s3 credentials: machines, with and without a token', async () => {
  const path = '/latest/meta-data/iam/security-credentials/';
  const roles = { [`GET ${path}`]: 'role1\n', [`GET ${path}role1`]: JSON_A };
  await using v2 = await serve({ 'PUT /latest/api/token': 'token1', ...roles });
  await using v1 = await serve(roles);
  await using none = await serve({ 'PUT /latest/api/token': 'token1' });
  const f = (url: string): Promise<Credentials | undefined> =>
    machineCredentials({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url }).load();
  const want = { ...A, expiresAt: Date.UTC(2030, 0, 2, 3, 4, 5) };
  deepEqual(await f(v2.url), want);
  equal(v2.asked[0]?.headers['x-aws-ec2-metadata-token-ttl-seconds'], '21600');
  deepEqual(
    v2.asked.slice(1).map(({ headers }) => headers['x-aws-ec2-metadata-token']),
    ['token1', 'token1'],
  );
  deepEqual(await f(v1.url), want);
  equal(await f(none.url), undefined);
  equal(await f('http://127.0.0.1:1'), undefined);
  const off = { AWS_EC2_METADATA_SERVICE_ENDPOINT: v2.url, AWS_EC2_METADATA_DISABLED: 'true' };
  equal(await machineCredentials(off).load(), undefined);
});

test('s3 credentials: renewed before they end, and kept when that fails', async () => {
  const clock = new FakeClock(0);
  let loads = 0;
  let fails = false;
  const source = {
    name: 'test',
    load: async (): Promise<Credentials> => {
      loads++;
      if (fails) throw new Error('down');
      return { ...A, accessKey: `A${loads}`, expiresAt: clock.now() + 3600_000 };
    },
  };
  const chain = new ChainedCredentials(
    [{ name: 'none', load: () => Promise.resolve(undefined) }, source],
    clock,
  );
  const key = async (): Promise<string | undefined> => (await chain.get())?.accessKey;
  deepEqual(await Promise.all([key(), key(), key()]), ['A1', 'A1', 'A1']);
  clock.advance(54 * 60_000);
  equal(await key(), 'A1');
  clock.advance(60_000);
  equal(await key(), 'A2');
  chain.expire();
  equal(await key(), 'A3');
  fails = true;
  clock.advance(56 * 60_000);
  equal(await key(), 'A3');
  equal(await key(), 'A3');
  equal(loads, 4);
  clock.advance(5 * 60_000);
  await rejects(key(), /down/);
});

test('s3 credentials: a refusal says where none were found', async () => {
  await using server = await startS3Server({
    intercept: (request, answer) => {
      equal(request.headers.authorization, undefined);
      answer.writeHead(403);
      answer.end();
      return true;
    },
  });
  using directory = temporaryDirectory();
  const text = `type: S3\nconfig: {bucket: b, endpoint: "${server.host}", insecure: true, region: r}`;
  const { type, config } = await parseBucketConfig({ text, name: 'o' });
  if (type !== 'S3') throw new Error(type);
  const env = {
    AWS_SHARED_CREDENTIALS_FILE: join(directory.path, 'none'),
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const bucket = await openS3(config, { clock: systemClock, log: nopLogger, env });
  await rejects(bucket.exists('a'), (thrown) => {
    match(
      (thrown as Error).message,
      /^look for "a", bucket b: the store answers 403; no credentials were found in the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the file .*none, /,
    );
    return true;
  });
  await bucket.close();
});

test('s3 credentials: by the chain of the AWS SDK', async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, 'credentials');
  writeFileSync(
    file,
    '[default]\naws_access_key_id=A\naws_secret_access_key=S\naws_session_token=T\n',
  );
  // The package reads the environment of the process.
  const names = ['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE', 'AWS_EC2_METADATA_DISABLED'];
  const saved = names.map((name) => [name, process.env[name]] as const);
  try {
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = file;
    process.env['AWS_CONFIG_FILE'] = join(directory.path, 'none');
    process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
    const source = await sdkCredentials('eu-west-1');
    deepEqual(await source.load(), { ...A, expiresAt: undefined });
  } finally {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});
