import assert from 'node:assert/strict';
import test from 'node:test';
import { MAX_TIME, MIN_TIME } from '../model/value.ts';
import { Form } from './form.ts';
import {
  checkMatcherSets,
  parseBool,
  parseDurationParam,
  parseLimit,
  parseTime,
  parseTimeParam,
} from './params.ts';

/** Asserts that a parser refuses a text with exactly this message. */
const refuses = (parse: () => unknown, message: string) =>
  assert.throws(parse, (thrown: unknown) => {
    assert.equal((thrown as { code?: string }).code, 'bad_data');
    assert.equal((thrown as Error).message, message);
    return true;
  });

test('times', () => {
  const f = (text: string, want: number) => assert.equal(parseTime(text), want);
  f('0', 0);
  f('1435781451.781', 1435781451781);
  f('1435781451.7809', 1435781451781);
  f('-1.5', -1500);
  f('1e3', 1_000_000);
  f('.5', 500);
  f('1e300', MAX_TIME);
  f('2015-06-03T13:21:58.555Z', 1433337718555);
  f('2015-06-03T14:21:58.555+01:00', 1433337718555);
  f('2015-06-03T13:21:58.5559Z', 1433337718555);
  f('2016-02-29T00:00:00Z', 1456704000000);
  f('0001-01-01T00:00:00Z', -62135596800000);
  f('-292273086-05-16T16:47:06Z', MIN_TIME);
  f('292277025-08-18T07:12:54.999999999Z', MAX_TIME);
  const bad = (text: string) =>
    refuses(() => parseTime(text), `cannot parse "${text}" to a valid timestamp`);
  bad('');
  bad('30s');
  bad('2015-06-03');
  bad('2015-06-03T13:21:58');
  bad('2015-06-31T13:21:58Z');
  bad('2015-13-01T13:21:58Z');
  bad('2015-06-03T24:00:00Z');
  bad('nan');
  assert.equal(parseTimeParam('time', '', 7), 7);
  refuses(
    () => parseTimeParam('time', 'x', 7),
    `invalid time value for 'time': cannot parse "x" to a valid timestamp`,
  );
});

test('durations', () => {
  const f = (text: string, want: number) => assert.equal(parseDurationParam(text), want);
  f('15', 15_000);
  f('0.25', 250);
  f('-5', -5000);
  f('0.0005', 0.5);
  f('5m', 300_000);
  f('1h30m', 5_400_000);
  const bad = (text: string, more = '') =>
    refuses(() => parseDurationParam(text), `cannot parse "${text}" to a valid duration${more}`);
  bad('');
  bad('x');
  bad('1.5h');
  bad('-5m');
  bad('1e20', '. It overflows int64');
  bad('9223372037', '. It overflows int64');
});

test('limits', () => {
  const f = (text: string, want: number) => assert.equal(parseLimit(text), want);
  f('', 0);
  f('0', 0);
  f('10', 10);
  f('+10', 10);
  f('9223372036854775807', Number.MAX_SAFE_INTEGER);
  refuses(() => parseLimit('-1'), 'limit must be non-negative');
  refuses(() => parseLimit('x'), 'strconv.Atoi: parsing "x": invalid syntax');
  refuses(() => parseLimit('1.5'), 'strconv.Atoi: parsing "1.5": invalid syntax');
  refuses(
    () => parseLimit('9223372036854775808'),
    'strconv.Atoi: parsing "9223372036854775808": value out of range',
  );
});

test('bools', () => {
  for (const text of ['1', 't', 'T', 'TRUE', 'true', 'True']) assert.equal(parseBool(text), true);
  for (const text of ['0', 'f', 'F', 'FALSE', 'false', 'False'])
    assert.equal(parseBool(text), false);
  refuses(() => parseBool('maybe'), 'strconv.ParseBool: parsing "maybe": invalid syntax');
  refuses(() => parseBool('TRue'), 'strconv.ParseBool: parsing "TRue": invalid syntax');
});

test('matcher sets', () => {
  const f = (...selectors: string[]) => assert.deepEqual(checkMatcherSets(selectors), selectors);
  f();
  f('up', '{job="a",x=""}', '{job=~".+"}');
  const empty = 'match[] must contain at least one non-empty matcher';
  refuses(() => checkMatcherSets(['up', '{job=""}']), empty);
  refuses(() => checkMatcherSets(['{job=~".*"}']), empty);
  assert.throws(() => checkMatcherSets(['up{']), /parse error/);
});

test('forms', () => {
  const form = new Form('a=1&match[]=u&x=%7Bjob%3D%22a+b%22%7D', 'a=2&match%5B%5D=b1&match[]=b2');
  assert.equal(form.get('a'), '2');
  assert.equal(form.get('x'), '{job="a b"}');
  assert.equal(form.get('none'), '');
  assert.deepEqual(form.getAll('match[]'), ['b1', 'b2', 'u']);
  assert.deepEqual(new Form('q=1').getAll('q'), ['1']);
});
