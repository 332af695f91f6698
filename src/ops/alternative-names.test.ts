import assert from 'node:assert/strict';
import test from 'node:test';
import { alternativeNames } from './alternative-names.ts';

test('names of a certificate, in the forms that the documentation of node:crypto gives', () => {
  const f = (text: string | undefined, ...want: string[]) =>
    assert.deepEqual(alternativeNames(text), want);
  f(undefined);
  f('');
  f('DNS:example.com', 'example.com');
  f('DNS:a.b, DNS:*.c, IP Address:1.2.3.4', 'a.b', '*.c', '1.2.3.4');
  f('email:x@y.z, URI:spiffe://td/ns/a', 'x@y.z', 'spiffe://td/ns/a');
  f('DNS:"evil.example.com, DNS:good.example.com"', 'evil.example.com, DNS:good.example.com');
  f('URI:"http://a/\\"b", DNS:c', 'http://a/"b', 'c');
  f('DirName:"CN = x, O = y", DNS:c', 'c');
  f('IP Address:2001:DB8:0:0:0:0:0:1', '2001:db8::1');
  f('Registered ID:1.2.3, DNS:c', 'c');
});
