import assert from 'node:assert/strict';
import test from 'node:test';
import { unescapeLabelName } from './label-name.ts';

test('U__ escaped names', () => {
  const f = (name: string, want: string) => assert.equal(unescapeLabelName(name), want);
  f('job', 'job');
  f('__name__', '__name__');
  f('U__', '');
  f('U__a_2e_b', 'a.b');
  f('U__a__b', 'a_b');
  f('U__http_2E_status:sum', 'http.status:sum');
  f('U___1f600_', '😀');
  f('U__label_20_with_20__', 'U__label_20_with_20__');
  f('U__a_', 'U__a_');
  f('U__a_zz_', 'U__a_zz_');
  f('U__a_d800_', 'U__a_d800_');
  f('U__a_123456_', 'U__a_123456_');
});
