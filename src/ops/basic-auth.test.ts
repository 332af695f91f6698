import assert from 'node:assert/strict';
import test from 'node:test';
import { CodedError } from '../lib/errors.ts';
import { BasicAuth, checkHashes, checkPassword, parseLogin } from './basic-auth.ts';

/** From the tests that came with the first implementations of bcrypt: the empty password. */
const EMPTY = '$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.';
/** From prometheus/exporter-toolkit: "fakepassword". */
const FAKE = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';

test('passwords against hashes of others', async () => {
  assert.equal(await checkPassword('', EMPTY), true);
  assert.equal(await checkPassword('a', EMPTY), false);
  assert.equal(await checkPassword('fakepassword', FAKE), true);
  assert.equal(await checkPassword('Fakepassword', FAKE), false);
  assert.equal(await checkPassword('', ''), false);
  assert.equal(await checkPassword('', 'plain'), false);
  assert.equal(
    await checkPassword('', '$2y$99$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.'),
    false,
  );
});

test('each login is checked once, whatever the verdict, and again when the hash is another', async () => {
  const asked: string[] = [];
  const auth = new BasicAuth(async (password, hash) => {
    asked.push(`${password} ${hash}`);
    return `${password}!` === hash;
  });
  const users = new Map([['alice', 'a!']]);
  const f = async (user: string, password: string, want: boolean, checks: number) => {
    assert.equal(await auth.allows(users, { user, password }), want);
    assert.equal(asked.length, checks);
  };
  await f('alice', 'a', true, 1);
  await f('alice', 'a', true, 1);
  await f('alice', 'b', false, 2);
  await f('alice', 'b', false, 2);
  users.set('alice', 'b!');
  await f('alice', 'a', false, 3);
  await f('alice', 'b', true, 4);
  users.delete('alice');
  users.set('bob', 'x!');
  await f('alice', 'b', false, 5);
});

test('who does not exist costs a check of the same kind, and never gets in', async () => {
  const hashes: string[] = [];
  const auth = new BasicAuth(async (_password, hash) => {
    hashes.push(hash);
    return true;
  });
  const users = new Map([['alice', EMPTY]]);
  assert.equal(await auth.allows(users, { user: 'bob', password: '' }), false);
  assert.match(hashes[0] ?? '', /^\$2b\$06\$[./A-Za-z0-9]{53}$/);
  assert.equal(await checkPassword('', hashes[0] ?? ''), false);
  // What bob was refused is not what alice is answered.
  assert.equal(await auth.allows(users, { user: 'alice', password: '' }), true);
});

test('checks run one at a time, and no more than some wait', async () => {
  let running = 0;
  let most = 0;
  const auth = new BasicAuth(async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    return true;
  });
  const users = new Map([['alice', EMPTY]]);
  const all = await Promise.allSettled(
    Array.from({ length: 60 }, (_, i) => auth.allows(users, { user: 'alice', password: `${i}` })),
  );
  assert.equal(most, 1);
  assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 50);
  assert.equal(await auth.allows(users, { user: 'alice', password: 'later' }), true);
});

test('a check that fails is no verdict', async () => {
  let broken = true;
  const auth = new BasicAuth(async () => {
    if (broken) throw new Error('worker died');
    return true;
  });
  const users = new Map([['alice', EMPTY]]);
  const login = { user: 'alice', password: 'a' };
  await assert.rejects(auth.allows(users, login), /worker died/);
  broken = false;
  assert.equal(await auth.allows(users, login), true);
});

test('the login of a header', () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  const f = (header: string | undefined, want: ReturnType<typeof parseLogin>) =>
    assert.deepEqual(parseLogin(header), want);
  f(basic('alice:a:b'), { user: 'alice', password: 'a:b' });
  f(basic('ü:ß').replace('Basic', 'bAsIc'), { user: 'ü', password: 'ß' });
  f(basic(':'), { user: '', password: '' });
  f(basic('alice'), undefined);
  f('Basic !!!', undefined);
  f('Basic YTpi=', undefined);
  f('Bearer YTpi', undefined);
  f('', undefined);
  f(undefined, undefined);
});

test('hashes are looked at when the file is', () => {
  checkHashes(
    new Map([
      ['a', EMPTY],
      ['b', FAKE],
    ]),
    'web.yml',
  );
  const bad = (hash: string) =>
    assert.throws(
      () => checkHashes(new Map([['bob', hash]]), 'web.yml'),
      (thrown: unknown) => {
        assert.ok(thrown instanceof CodedError);
        assert.match(
          thrown.message,
          /^web\.yml: basic_auth_users\.bob: not a bcrypt hash, expected/,
        );
        return true;
      },
    );
  bad('');
  bad('doe');
  bad(EMPTY.slice(1));
  bad(EMPTY.replace('$06$', '$03$'));
  bad(EMPTY.replace('$06$', '$32$'));
});
