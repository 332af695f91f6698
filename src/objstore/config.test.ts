import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import type { PathOrContent } from '../lib/path-or-content.ts';
import { encodeUtf8 } from '../lib/utf8.ts';
import { openBucket, parseBucketConfig, readBucketConfig } from './config.ts';

function flags(given: Partial<PathOrContent>): PathOrContent {
  return { flag: 'objstore.config', content: '', path: '', env: {}, ...given };
}

test('objstore config: what is accepted', async () => {
  const f = async (text: string, directory: string, prefix: string): Promise<void> => {
    const got = await readBucketConfig(flags({ content: text }));
    deepEqual(got, { type: 'FILESYSTEM', config: { directory }, prefix }, text);
  };
  await f('type: FILESYSTEM\nconfig:\n  directory: /data', '/data', '');
  await f('type: filesystem\nconfig: {directory: rel/0123}\nprefix: /a/b//', 'rel/0123', 'a/b');
  await f('{"type": "Filesystem", "config": {"directory": "1e5"}}', '1e5', '');
  await f('config:\n  directory: "/data"\nprefix:\ntype: FileSystem\n', '/data', '');
  await f('type: FILESYSTEM\nconfig: {directory: /d}\nprefix: ///', '/d', '');
  equal(await readBucketConfig(flags({})), undefined);
});

test('objstore config: what is refused', async () => {
  const f = async (text: string, message: string, code = 'bad_data'): Promise<void> => {
    await rejects(parseBucketConfig({ text, name: 'objstore.yaml' }), { code, message }, text);
  };
  const wanted = 'expected FILESYSTEM, S3, GCS, AZURE, SWIFT, COS, ALIYUNOSS, BOS, OBS or OCI';
  await f(
    'type: FILESYSTEM\nconfig:\n  directorry: /x\n  directory: /y',
    'objstore.yaml:3: config.directorry: unknown field, expected directory',
  );
  await f(
    'type: FILESYSTEM\nconfig:\n  # none\n',
    'objstore.yaml:2: config: missing, expected a mapping',
  );
  await f('type: FILESYSTEM', 'objstore.yaml:1: config: missing, expected a mapping');
  await f(
    'type: FILESYSTEM\nconfig: {}',
    'objstore.yaml:2: config.directory: missing, expected a text',
  );
  await f(
    'type: FILESYSTEM\nconfig:\n  directory: ""',
    'objstore.yaml:3: config.directory: is empty, expected the path of a directory',
  );
  await f(
    'type: FILESYSTEM\nconfig: {directory: [a]}',
    'objstore.yaml:2: config.directory: expected a text, is a list',
  );
  await f('config: {directory: a}', `objstore.yaml:1: type: missing, ${wanted}`);
  await f('type:\nconfig: {directory: a}', `objstore.yaml:1: type: missing, ${wanted}`);
  await f('\ntype: FTP', `objstore.yaml:2: type: bucket with type FTP is not supported, ${wanted}`);
  await f(
    'type: FILESYSTEM\nconfig: {directory: a}\nhedging_configs: {}',
    'objstore.yaml:3: hedging_configs: unknown field, expected hedging_config',
  );
  await f(
    'type: FILESYSTEM\nconfig: {directory: a}\nprefix: a/../b',
    'objstore.yaml:3: prefix: object name "a/../b" has a segment ".."',
  );
  await f('type: FILESYSTEM\ntype: S3', 'objstore.yaml:2:1: the field is there twice');
  await f('type:\tx\n\tconfig: a', 'objstore.yaml:2:1: a tab is no indentation, use spaces');
  await f('- a', 'objstore.yaml:1: expected a mapping, is a list');
});

test('objstore config: each type refuses what it does not know, in any case', async () => {
  for (const type of [
    's3',
    'Gcs',
    'AZURE',
    'swift',
    'cos',
    'aliyunoss',
    'bos',
    'oci',
    'obs',
    'filesystem',
  ]) {
    const text = `type: ${type}\nconfig:\n  bucket: x\n  nonsense: hidden\n`;
    await rejects(parseBucketConfig({ text, name: 'o' }), (thrown) => {
      const { message } = thrown as Error;
      ok(/^o:[34]: config\.(?:bucket|nonsense): unknown field, expected /.test(message), message);
      ok(!message.includes('hidden'));
      return true;
    });
  }
});

test('objstore config: hedging', async () => {
  const f = async (text: string, want: object | undefined): Promise<void> => {
    const given = `type: FILESYSTEM\nconfig: {directory: a}\nhedging_config: ${text}`;
    deepEqual((await parseBucketConfig({ text: given, name: 'o' })).hedging, want);
  };
  await f('{enabled: true}', { upTo: 3, quantile: 0.9 });
  await f('{enabled: true, up_to: 2, quantile: 0.95}', { upTo: 2, quantile: 0.95 });
  await f('{enabled: false, up_to: 2}', undefined);
  await f('{}', undefined);
  await f('', undefined);
  await rejects(f('{enabled: true, quantile: 90}', {}), {
    message: 'o:3: hedging_config.quantile: expected a number between 0 and 1, is "90"',
  });
  await rejects(f('{enabled: true, up_to: 0}', {}), {
    message: 'o:3: hedging_config.up_to: expected a whole number from 1 on, is "0"',
  });
});

test('objstore config: from a file, and from both flags', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'bucket.yaml');
  writeFileSync(path, 'type: FILESYSTEM\nconfig: {directory: /data}\n');
  const got = await readBucketConfig(flags({ path }));
  deepEqual(got?.config, { directory: '/data' });
  await rejects(readBucketConfig(flags({ path, content: 'type: S3' })), {
    code: 'bad_data',
    message: 'both objstore.config-file and objstore.config flags set.',
  });
  writeFileSync(path, 'type: FILESYSTEM\nconfig:\n  dir: /data\n');
  await rejects(readBucketConfig(flags({ path })), {
    message: `${path}:3: config.dir: unknown field, expected directory`,
  });
  writeFileSync(path, '');
  equal(await readBucketConfig(flags({ path })), undefined);
  const missing = join(directory.path, 'none.yaml');
  await rejects(readBucketConfig(flags({ path: missing })), {
    code: 'bad_data',
    message: /^loading file .*none\.yaml for objstore\.config-file: ENOENT/,
  });
});

test('objstore config: variables of the environment', async () => {
  const content = 'type: FILESYSTEM\nconfig:\n  directory: $(ROOT)/$(A_1)$(A_1) $X ${Y} $()\n';
  const got = await readBucketConfig(flags({ content, env: { ROOT: '/r', A_1: 'b' } }));
  deepEqual(got?.config, { directory: '/r/bb $X ${Y} $()' });
  await rejects(readBucketConfig(flags({ content, env: { ROOT: '/r' } })), {
    code: 'bad_data',
    message: '--objstore.config:3: found reference to unset environment variable "A_1"',
  });
});

test('objstore config: the bucket that it opens', async () => {
  using directory = temporaryDirectory();
  const config = {
    type: 'FILESYSTEM',
    config: { directory: directory.path },
    prefix: 'some/prefix',
  } as const;
  const bucket = await openBucket(config);
  await bucket.upload('x', encodeUtf8('x'));
  equal(existsSync(join(directory.path, 'some/prefix/x')), true);
  equal(bucket.name, `fs: ${resolve(directory.path)}`);
  await bucket.close();
});
