/**
 * ULIDs, the names of blocks: 48 bits of milliseconds and 80 random ones in Crockford's base 32, 26 characters that
 * sort by time.
 */
import { webcrypto } from 'node:crypto';
import { decodeTime, monotonicFactory } from 'ulid';
import { CodedError } from '../lib/errors.ts';

/** Where the random part comes from: a seeded generator in tests, {@link secureRandom} elsewhere. */
export interface UlidRandom {
  /** A number in [0, 1). */
  float(): number;
}

/** Randomness that no other process repeats. */
export const secureRandom: UlidRandom = {
  float: () => (webcrypto.getRandomValues(word)[0] as number) / 4294967296,
};

const word = new Uint32Array(1);

/** 48 bits of time: the first of 26 characters has three of five bits. */
const PATTERN = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

const factories = new WeakMap<UlidRandom, (timeMs: number) => string>();

/**
 * A new ULID of a time in ms since the epoch (a whole number from 0 to 2^48 - 1). Of one source of randomness each is
 * larger than the one before it, also when the clock stands still or goes back.
 */
export function newUlid(timeMs: number, random: UlidRandom = secureRandom): string {
  let next = factories.get(random);
  if (next === undefined) {
    next = monotonicFactory(() => random.float());
    factories.set(random, next);
  }
  return next(timeMs);
}

/** Whether a text is a ULID in its canonical form: upper case. */
export function isUlid(text: string): boolean {
  return PATTERN.test(text);
}

/** The text, made sure that it is a ULID in upper case. @throws CodedError bad_data unless it can be read as one. */
export function parseUlid(text: string): string {
  const upper = text.toUpperCase();
  if (isUlid(upper)) return upper;
  throw new CodedError('bad_data', `${JSON.stringify(text)} is not a ULID`);
}

/** The time of a ULID, ms since the epoch. @throws CodedError bad_data unless the text is one. */
export function ulidTime(ulid: string): number {
  return decodeTime(parseUlid(ulid));
}
