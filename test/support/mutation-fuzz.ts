/**
 * Mutation fuzz of codecs: how many cases there are, from which seed, how bytes are mutated, and that what comes out is a
 * value or a named error within bounds.
 *
 *   TSDB_FUZZ_CASES=1000000 TSDB_FUZZ_SEED=7 npm test -- fuzz.test
 */
import { ok } from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { CodedError } from '../../src/lib/errors.ts';
import { Random } from '../../src/lib/prng.ts';

export const FUZZ_CASES_DEFAULT = 5000;
/** How many cases each codec gets. */
export const FUZZ_CASES = Number(process.env['TSDB_FUZZ_CASES'] ?? FUZZ_CASES_DEFAULT);
/** What repeats them. It is in the names of the tests, which are printed with a failure. */
export const FUZZ_SEED = Number(process.env['TSDB_FUZZ_SEED'] ?? 1);

/** limit: what one case may allocate: a multiple of its bytes, and buffers that are made at a fixed size. */
const BYTES_A_BYTE = 64;
const FIXED_BYTES = 4 << 20;

/** Cases of one codec. */
export interface FuzzedCodec {
  readonly name: string;
  /** Mutates a sound input and decodes it. What it throws, a CodedError apart, fails the test. Answers bytes of input. */
  readonly run: (random: Random, i: number) => number;
  /** Of how many cases one is run, where a case costs much more than elsewhere. */
  readonly every?: number;
  /** Shares of cases that must be refused at least and at most: mutation must be neither idle nor all that there is. */
  readonly refused?: readonly [least: number, most: number];
  /** Bytes that a case may allocate besides a multiple of its input. */
  readonly fixedBytes?: number;
}

/** A test of a codec: every case is a value or a CodedError and allocates little. */
export function testFuzz(codec: FuzzedCodec): void {
  const { name, every = 1, refused = [0.02, 1], fixedBytes = FIXED_BYTES } = codec;
  const cases = Math.ceil(FUZZ_CASES / every);
  const seed = FUZZ_SEED;
  test(`fuzz: ${cases} cases of ${name}, seed ${seed}`, (t) => {
    const random = new Random(seed * 7919 + hash(name));
    let errors = 0;
    for (let i = 0; i < cases; i++) {
      const before = allocatedBytes();
      let size = 0;
      try {
        size = codec.run(random, i);
      } catch (thrown) {
        if (!(thrown instanceof CodedError))
          throw named(thrown, `${name}, seed ${seed}, case ${i}`);
        errors++;
      }
      // Collections make it less, never more.
      const allocated = allocatedBytes() - before;
      const most = fixedBytes + size * BYTES_A_BYTE;
      ok(allocated <= most, `case ${i} allocated ${allocated} of ${most} bytes`);
    }
    t.diagnostic(`${name}: ${errors} of ${cases} cases refused`);
    ok(
      errors >= cases * refused[0] && errors <= cases * refused[1],
      `${errors} of ${cases} refused`,
    );
  });
}

function allocatedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

function named(thrown: unknown, where: string): Error {
  const what = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return new Error(`${where}: ${what}`, { cause: thrown });
}

function hash(text: string): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0;
  return sum >>> 0;
}

/** Where bytes may be mutated: from..to, exclusive; all by default. */
export interface MutationRange {
  readonly from?: number;
  readonly to?: number;
}

/** Flips bits, sets, cuts, doubles, inserts and removes bytes within a range, one to four times; in memory of its own. */
export function mutate(bytes: Uint8Array, random: Random, range: MutationRange = {}): Buffer {
  let out: Buffer = Buffer.from(bytes);
  const { from = 0 } = range;
  const behind = bytes.length - (range.to ?? bytes.length);
  for (let left = 1 + random.below(4); left > 0; left--) {
    const end = out.length - behind;
    const at = from + random.below(Math.max(1, end - from + 1));
    const way = random.below(7);
    if (way === 0) out = splice(out, at, end - at, Buffer.alloc(0));
    else if (way === 1) noise(random).copy(out, at, 0, Math.max(0, end - at));
    else if (way === 2) out = splice(out, at, 0, noise(random));
    else if (way === 3)
      out = splice(out, at, Math.min(random.below(12), end - at), Buffer.alloc(0));
    else if (way === 4) {
      const size = Math.min(random.below(40), end - at);
      out = splice(out, at, 0, Buffer.from(out.subarray(at, at + Math.max(0, size))));
    } else if (at < end) {
      out[at] = way === 5 ? (out[at] as number) ^ (1 << random.below(8)) : random.below(256);
    }
  }
  return out;
}

/** The same without a change of the length: bits and bytes only. */
export function damage(bytes: Uint8Array, random: Random, range: MutationRange = {}): Buffer {
  const out = Buffer.from(bytes);
  const { from = 0, to = out.length } = range;
  if (to <= from) return out;
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = from + random.below(to - from);
    const way = random.below(3);
    if (way === 0) noise(random).copy(out, at, 0, to - at);
    else out[at] = way === 1 ? (out[at] as number) ^ (1 << random.below(8)) : random.below(256);
  }
  return out;
}

function splice(bytes: Buffer, at: number, removed: number, put: Uint8Array): Buffer {
  const end = at + Math.max(0, removed);
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(end)]);
}

/** Up to eleven bytes, many of them 0xff: long varints and huge lengths. */
function noise(random: Random): Buffer {
  const bytes = Buffer.alloc(random.below(12));
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = random.below(3) === 0 ? 0xff : random.below(256);
  return bytes;
}

/**
 * A file whose content is replaced for each case.
 * perf: a file that is opened with truncation makes ext4 write what is put into it when it is closed.
 */
export class ScratchFile implements Disposable {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, 'a+');
    closeSync(this.#fd);
    this.#fd = openSync(path, 'r+');
  }

  put(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.#fd, bytes, done, bytes.length - done, done);
    ftruncateSync(this.#fd, bytes.length);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
