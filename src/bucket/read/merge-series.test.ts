/** Series of several blocks as one sequence, and their chunks, against the plain way. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../lib/prng.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { randomLabelSets } from '../../../test/support/stored-block.ts';
import { encodeAggrChunk } from './frame-chunks-twin.ts';
import type { TaggedChunk } from './frame-chunks-twin.ts';
import { encodeLabels } from './label-bytes.ts';
import { mergeChunks } from './merge-chunks.ts';
import { mergeSeries } from './merge-series.ts';
import type { SeriesSource } from './merge-series.ts';
import type { SeriesRun } from './series-run.ts';

interface Chunk {
  readonly mint: number;
  readonly maxt: number;
  readonly parts: readonly TaggedChunk[];
}

interface Series {
  readonly labels: Labels;
  readonly chunks: readonly Chunk[];
}

const rawChunk = (mint: number, maxt: number, data = `${mint}-${maxt}`, encoding = 1): Chunk => ({
  mint,
  maxt,
  parts: [{ tag: 0x1a, encoding, data: Buffer.from(data) }],
});

const messageOf = ({ mint, maxt, parts }: Chunk): Buffer =>
  Buffer.from(encodeAggrChunk(mint, maxt, parts));

/** Who has been given back. */
class Ledger {
  made = 0;
  released = 0;
  ended = 0;
}

/** A run whose memory becomes rubbish as soon as it is given back. */
function runOf(series: readonly Series[], ledger: Ledger): SeriesRun {
  ledger.made++;
  const labels = series.map((one) => encodeLabels(one.labels));
  const chunks = series.flatMap((one) => one.chunks);
  const messages = chunks.map(messageOf);
  const ends = (sizes: readonly number[]): number[] => {
    let at = 0;
    return [0, ...sizes.map((size) => (at += size))];
  };
  const bytes = Buffer.concat(messages);
  const places = ends(messages.map(({ length }) => length));
  let isHeld = true;
  const run = {
    count: series.length,
    labels: Buffer.concat(labels),
    labelStarts: Uint32Array.from(ends(labels.map(({ length }) => length))),
    chunkStarts: Uint32Array.from(ends(series.map((one) => one.chunks.length))),
    mint: Float64Array.from(chunks, ({ mint }) => mint),
    maxt: Float64Array.from(chunks, ({ maxt }) => maxt),
    segments: new Uint32Array(chunks.length),
    offsets: new Uint32Array(chunks.length),
    frames: {
      parts: [bytes],
      buffers: [],
      part: new Uint32Array(chunks.length),
      start: Uint32Array.from(places.slice(0, -1)),
      end: Uint32Array.from(places.slice(1)),
    },
    release: () => {
      if (isHeld) ledger.released++;
      isHeld = false;
      run.labels.fill(0xff);
      bytes.fill(0xff);
    },
  };
  return run;
}

/** A block's runs of so many series each; it fails before one of them, if so told. */
async function* blockOf(
  series: readonly Series[],
  runSize: number,
  ledger: Ledger,
  failAt = Infinity,
): AsyncGenerator<SeriesRun> {
  try {
    for (let from = 0, n = 0; from < series.length; from += runSize, n++) {
      await Promise.resolve();
      if (n === failAt) throw new Error('block fails');
      yield runOf(series.slice(from, from + runSize), ledger);
    }
    if (failAt * runSize >= series.length && failAt < Infinity) throw new Error('block fails');
  } finally {
    ledger.ended++;
  }
}

/** A series as it is sent: labels, and its chunks as hex. */
interface Sent {
  readonly labels: string;
  readonly chunks: string;
}

function sentOf(sources: readonly SeriesSource[]): Sent {
  const { run, at } = sources[0] as SeriesSource;
  const labels = run.labels.toString('hex', run.labelStarts[at], run.labelStarts[at + 1]);
  const { pieces, bytes, count } = mergeChunks(sources);
  const all = Buffer.concat(pieces);
  equal(all.length, bytes);
  ok(count > 0);
  return { labels, chunks: all.toString('hex') };
}

async function merged(
  blocks: readonly (readonly Series[])[],
  runSize: (block: number) => number,
): Promise<Sent[]> {
  const ledger = new Ledger();
  const out: Sent[] = [];
  await mergeSeries(
    blocks.map((series, i) => blockOf(series, runSize(i), ledger)),
    async (sources) => {
      out.push(sentOf(sources));
      await Promise.resolve();
      return true;
    },
  );
  equal(ledger.released, ledger.made);
  equal(ledger.ended, blocks.length);
  return out;
}

/** What Thanos answers: each label set once, chunks by times, those with equal hashes once. */
function plainly(blocks: readonly (readonly Series[])[]): Sent[] {
  const sets = new Map<string, Series[]>();
  for (const series of blocks.flat()) {
    const { key } = series.labels;
    sets.set(key, [...(sets.get(key) ?? []), series]);
  }
  return [...sets.values()]
    .toSorted((a, b) => compareLabels((a[0] as Series).labels, (b[0] as Series).labels))
    .map((all) => {
      const chunks = new Map<string, Chunk>();
      for (const chunk of all.flatMap((one) => one.chunks)) {
        chunks.set(messageOf(chunk).toString('hex'), chunk);
      }
      const sorted = [...chunks.values()].toSorted(
        (a, b) =>
          a.mint - b.mint ||
          a.maxt - b.maxt ||
          (a.parts[0] as TaggedChunk).encoding - (b.parts[0] as TaggedChunk).encoding ||
          // The larger data first, as Go has it.
          Buffer.compare((b.parts[0] as TaggedChunk).data, (a.parts[0] as TaggedChunk).data),
      );
      return {
        labels: encodeLabels((all[0] as Series).labels).toString('hex'),
        chunks: Buffer.concat(sorted.map(messageOf)).toString('hex'),
      };
    });
}

const set = (labels: Readonly<Record<string, string>>, ...chunks: Chunk[]): Series => ({
  labels: Labels.fromObject(labels),
  chunks,
});

test('chunks of one series', async (t) => {
  const f = (name: string, blocks: readonly (readonly Chunk[])[]): Promise<void> =>
    t.test(name, async () => {
      const series = blocks.map((chunks) => [set({ a: '1' }, ...chunks)]);
      deepEqual(await merged(series, () => 1), plainly(series));
    });
  await f('one block', [[rawChunk(1, 2), rawChunk(3, 4)]]);
  await f('one behind the other', [[rawChunk(1, 2)], [rawChunk(3, 4)]]);
  await f('the later block first', [[rawChunk(3, 4)], [rawChunk(1, 2)]]);
  await f('one between the others', [[rawChunk(1, 2), rawChunk(5, 6)], [rawChunk(3, 4)]]);
  await f('touching', [[rawChunk(1, 3)], [rawChunk(3, 4)]]);
  await f('the same twice', [
    [rawChunk(1, 2), rawChunk(3, 4)],
    [rawChunk(1, 2), rawChunk(3, 4)],
  ]);
  await f('the same three times, others among them', [
    [rawChunk(1, 2), rawChunk(5, 8)],
    [rawChunk(1, 2), rawChunk(4, 8)],
    [rawChunk(0, 9), rawChunk(1, 2)],
  ]);
  await f('same times, other data: the larger first', [
    [rawChunk(1, 2, 'a')],
    [rawChunk(1, 2, 'ab')],
    [rawChunk(1, 2, 'b')],
    [rawChunk(1, 2, 'A long one that takes more bytes')],
  ]);
  await f('same times, another type', [
    [rawChunk(1, 2, 'a', 2)],
    [rawChunk(1, 2, 'b', 1)],
    [rawChunk(1, 2, 'c', 3)],
  ]);
  await f('overlapping chunks of one block', [[rawChunk(1, 5), rawChunk(2, 4), rawChunk(3, 9)]]);
  await f('negative times', [[rawChunk(-5, -3)], [rawChunk(-9, -8), rawChunk(-2, 0)]]);
});

test('an aggregate chunk is dropped when every part of it has been seen', () => {
  const part = (tag: number, data: string): TaggedChunk => ({
    tag,
    encoding: 1,
    data: Buffer.from(data),
  });
  const chunk = (...parts: TaggedChunk[]): Chunk => ({ mint: 1, maxt: 9, parts });
  const first = chunk(part(0x22, 'c'), part(0x3a, 'm'));
  const f = (chunks: readonly Chunk[], want: readonly Chunk[]): void => {
    const ledger = new Ledger();
    const sources = chunks.map((one) => ({ run: runOf([set({ a: '1' }, one)], ledger), at: 0 }));
    const { pieces, count } = mergeChunks(sources);
    equal(
      Buffer.concat(pieces).toString('hex'),
      Buffer.concat(want.map(messageOf)).toString('hex'),
    );
    equal(count, want.length);
  };
  // compat: Go notes one fresh hash a chunk: at first that of count, then that of max of one and the same chunk.
  f([first, first], [first, first]);
  f([first, first, first], [first, first]);
  const sameCount = chunk(part(0x22, 'c'), part(0x3a, 'other'));
  f([first, sameCount], [sameCount, first]);
  const onlyCount = chunk(part(0x22, 'c'));
  f([first, onlyCount], [first]);
  const other = chunk(part(0x22, 'b'));
  f([first, other], [first, other]);
});

for (const seed of [1, 2, 3, 4, 5]) {
  test(`random blocks, seed ${seed}`, async () => {
    const random = new Random(seed);
    const sets = randomLabelSets(random, 80);
    for (let round = 0; round < 10; round++) {
      const blocks = Array.from({ length: random.below(9) }, (_, block) =>
        sets.flatMap((labels) =>
          random.below(3) > 0
            ? []
            : // Labels that were left out make several series of a block equal.
              Array.from({ length: random.below(6) === 0 ? 3 : 1 }, () => {
                const start = random.below(2) === 0 ? block * 100 : random.below(5) * 10;
                return {
                  labels,
                  chunks: Array.from({ length: 1 + random.below(4) }, (_c, c) =>
                    rawChunk(start + c * 10, start + c * 10 + 1 + random.below(12)),
                  ),
                };
              }),
        ),
      );
      const sizes = blocks.map(() => 1 + random.below(20));
      deepEqual(await merged(blocks, (i) => sizes[i] as number), plainly(blocks));
    }
  });
}

test('whoever stops, everything is given back', async (t) => {
  const blocks = Array.from({ length: 4 }, (_, block) =>
    Array.from({ length: 10 }, (_s, i) =>
      set({ a: String(i * (block + 1)).padStart(3, '0') }, rawChunk(block, block + 1)),
    ),
  );
  const f = (
    name: string,
    emit: (n: number) => boolean | Promise<boolean>,
    wantError: RegExp | undefined,
    failAt: (block: number) => number | undefined = () => undefined,
  ): Promise<void> =>
    t.test(name, async () => {
      const ledger = new Ledger();
      let n = 0;
      const work = mergeSeries(
        blocks.map((series, i) => blockOf(series, 3, ledger, failAt(i))),
        (sources) => {
          sentOf(sources);
          return emit(n++);
        },
      );
      if (wantError === undefined) await work;
      else await rejects(work, wantError);
      equal(ledger.released, ledger.made, `${ledger.made} runs`);
      // A generator that was never started has no end to come to.
      ok(ledger.ended === blocks.length);
    });
  for (const at of [0, 1, 5, 12]) {
    await f(`told to stop at ${at}`, (n) => n < at, undefined);
    await f(`told later to stop at ${at}`, (n) => Promise.resolve(n < at), undefined);
    const boom = (n: number): boolean => {
      if (n === at) throw new Error('emit fails');
      return true;
    };
    await f(`emit throws at ${at}`, boom, /emit fails/);
    await f(
      `emit rejects at ${at}`,
      async (n) => {
        await Promise.resolve();
        return boom(n);
      },
      /emit fails/,
    );
  }
  for (const run of [0, 1, 2, 4]) {
    for (const block of [0, 3]) {
      await f(
        `block ${block} fails before run ${run}`,
        () => true,
        /block fails/,
        (i) => (i === block ? run : undefined),
      );
    }
    await f(
      `all blocks fail before run ${run}`,
      () => true,
      /block fails/,
      () => run,
    );
  }
});

test('no blocks', async () => {
  deepEqual(await merged([], () => 1), []);
  deepEqual(await merged([[], []], () => 1), []);
});
