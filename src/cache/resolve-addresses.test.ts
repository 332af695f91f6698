import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type DnsQuestions, dnsResolver, isLookup } from './resolve-addresses.ts';

const HOSTS: Readonly<Record<string, readonly string[]>> = {
  'a.example': ['10.0.0.1', '10.0.0.2'],
  'b.example.': ['fd00::1'],
};

const DNS: DnsQuestions = {
  async lookup(host) {
    const found = HOSTS[host];
    if (host === 'broken') throw Object.assign(new Error('no answer'), { code: 'ESERVFAIL' });
    if (found === undefined) throw Object.assign(new Error('none'), { code: 'ENOTFOUND' });
    return found.map((address) => ({ address }));
  },
  async resolveSrv(name) {
    if (name !== '_m._tcp.x') throw Object.assign(new Error('none'), { code: 'ENODATA' });
    return [
      { name: 'a.example', port: 11 },
      { name: 'b.example.', port: 12 },
    ];
  },
};

test('cache addresses: what they stand for', async () => {
  const f = async (address: string, want: readonly string[]): Promise<void> =>
    deepEqual(await dnsResolver(DNS)([address]), want, address);
  await f('a.example:1', ['a.example:1']);
  await f('dns+a.example:1', ['10.0.0.1:1', '10.0.0.2:1']);
  await f('dnsdualstack+b.example.:1', ['[fd00::1]:1']);
  await f('dns+none.example:1', []);
  await f('dnssrv+_m._tcp.x', ['10.0.0.1:11', '10.0.0.2:11', '[fd00::1]:12']);
  await f('dnssrv+_m._tcp.x:7', ['10.0.0.1:7', '10.0.0.2:7', '[fd00::1]:7']);
  await f('dnssrvnoa+_m._tcp.x', ['a.example:11', 'b.example:12']);
  await f('dnssrv+_none._tcp.x', []);
  deepEqual(await dnsResolver(DNS)(['x:1', 'dns+a.example:2', 'y:3']), [
    'x:1',
    '10.0.0.1:2',
    '10.0.0.2:2',
    'y:3',
  ]);
  equal(isLookup('dns+x'), true);
  equal(isLookup('x:1'), false);
});

test('cache addresses: what cannot be looked up', async () => {
  const f = (address: string, message: string): Promise<void> =>
    rejects(dnsResolver(DNS)([address]), { message });
  await f('dns+a.example', 'missing port in address given for dns lookup: a.example');
  await f('srv+a.example:1', 'invalid lookup scheme "srv"');
  await f('dns+broken:1', 'no answer');
});

test('cache addresses: with the resolver of this machine', async () => {
  const found = await dnsResolver()(['dns+127.0.0.1:11211', 'dns+[::1]:1']);
  deepEqual(found, ['127.0.0.1:11211', '[::1]:1']);
});
