import assert from 'node:assert/strict';
import test from 'node:test';
import { parseTimeOrDuration, resolveTime } from './time-or-duration.ts';

const NOW = Date.UTC(2026, 10, 1, 12);

test('times and distances from the present', () => {
  const f = (text: string, want: string) =>
    assert.equal(new Date(resolveTime(parseTimeOrDuration(text), NOW)).toISOString(), want, text);
  f('2026-11-01T00:00:00Z', '2026-11-01T00:00:00.000Z');
  f('2026-11-01T00:00:00.25+02:00', '2026-10-31T22:00:00.250Z');
  f('2026-11-01T00:00:00.123456789-00:30', '2026-11-01T00:30:00.123Z');
  f('0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z');
  f('0099-03-01T00:00:00Z', '0099-03-01T00:00:00.000Z');
  f('9999-12-31T23:59:59Z', '9999-12-31T23:59:59.000Z');
  f('2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z');
  f('6h', '2026-11-01T18:00:00.000Z');
  f('-1d', '2026-10-31T12:00:00.000Z');
  f('2h45m', '2026-11-01T14:45:00.000Z');
});

test('what is neither is refused in the words for durations', () => {
  const f = (text: string, want: RegExp) => assert.throws(() => parseTimeOrDuration(text), want);
  f('', /empty duration string/);
  f('-', /empty duration string/);
  f('soon', /not a valid duration string: "soon"/);
  f('2026-11-01', /unknown unit "-" in duration "2026-11-01"/);
  f('2026-02-29T00:00:00Z', /unknown unit "-" in duration "2026-02-29T00:00:00Z"/);
  f('2026-13-01T00:00:00Z', /unknown unit "-" in duration "2026-13-01T00:00:00Z"/);
  f('2026-11-01T24:00:00Z', /unknown unit "-" in duration "2026-11-01T24:00:00Z"/);
  f('1.5h', /unknown unit "." in duration "1.5h"/);
});
