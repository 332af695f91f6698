import { deepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import type { Random } from '../../lib/prng.ts';
import { AnswerParser } from './answer-parser.ts';
import { GetRequest } from './requests.ts';

/** What the parser hands over, lines as texts and blocks in brackets. */
function parse(chunks: readonly Buffer[]): string[] {
  const seen: string[] = [];
  const parser = new AnswerParser({
    onLine: (line) => {
      seen.push(line);
      const match = /^VALUE \S+ \d+ (\d+)/.exec(line);
      return match === null ? -1 : Number(match[1]);
    },
    onBlock: (block) => void seen.push(`[${Buffer.from(block).toString('latin1')}]`),
  });
  for (const chunk of chunks) parser.push(chunk);
  return seen;
}

const ANSWER = Buffer.from(
  'VALUE a 0 5\r\n\r\nEND\r\nVALUE b 0 0\r\n\r\nEND\r\nSTORED\r\nVALUE größe 1 2 77\r\nxy\r\nEND\r\n',
);
const SEEN = [
  'VALUE a 0 5',
  '[\r\nEND]',
  'VALUE b 0 0',
  '[]',
  'END',
  'STORED',
  `VALUE ${Buffer.from('größe').toString('latin1')} 1 2 77`,
  '[xy]',
  'END',
];

test('memcached answers: lines and blocks, however they are cut', () => {
  deepEqual(parse([ANSWER]), SEEN);
  deepEqual(parse([...ANSWER].map((byte) => Buffer.of(byte))), SEEN);
  for (let at = 0; at <= ANSWER.length; at++) {
    deepEqual(parse([ANSWER.subarray(0, at), ANSWER.subarray(at)]), SEEN);
  }
});

test('memcached answers: what is none', () => {
  const f = (text: string, message: RegExp): void => {
    throws(() => parse([Buffer.from(text)]), { reason: 'other', message });
  };
  f('END\n', /without/);
  f('\n', /without/);
  f('VALUE a 0 1\r\nxyz', /does not end where/);
  f('x'.repeat(3000), /more than 2048 bytes/);
  f(`${'x'.repeat(3000)}\r\n`, /more than 2048 bytes/);
  f('VALUE a 0 999999999\r\n', /999999999 bytes/);
});

testFuzz({
  name: 'answers of memcached',
  run: (random) => {
    const bytes = mutate(ANSWER, random);
    parse(cut(bytes, random));
    return bytes.length;
  },
});

testFuzz({
  name: 'answers of memcached to a request',
  // The test runner keeps something for each promise that is made.
  every: 20,
  run: (random) => {
    const bytes = mutate(ANSWER, random);
    const request = new GetRequest(
      new Map([
        ['a', 'a'],
        ['b', 'b'],
      ]),
    );
    const parser = new AnswerParser(request);
    for (const chunk of cut(bytes, random)) parser.push(chunk);
    return bytes.length;
  },
});

function cut(bytes: Buffer, random: Random): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random.below(20);
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
