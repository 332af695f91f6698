import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { xorChunk } from '../../../test/support/block-builder.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { Random } from '../../lib/prng.ts';
import type { BlockChunk, BlockSegments } from '../block/block-writer.ts';
import { SegmentWriter } from '../chunks/segment-writer.ts';
import { FrameSegments } from './frame-segments.ts';
import { MergedChunk } from './merged-chunk.ts';
import { SegmentWindows } from './segment-windows.ts';

function randomChunk(random: Random): BlockChunk {
  const data = new Uint8Array(2 + random.below(random.below(4) === 0 ? 300 : 20));
  for (let i = 0; i < data.length; i++) data[i] = random.below(256);
  return { mint: 0, maxt: 1, encoding: 1 + random.below(3), count: 1, data };
}

/** Writes the chunks of some series and answers where they are. */
function write(segments: BlockSegments, series: readonly (readonly BlockChunk[])[]): number[][] {
  const refs = series.map((chunks) => {
    const places = new Float64Array(chunks.length);
    segments.add(chunks, places);
    return [...places];
  });
  segments.finish();
  return refs;
}

function filesIn(directory: string): [string, Buffer][] {
  return readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]);
}

test('frame segments: the same files and refs as of a writer that frames each chunk', () => {
  const random = new Random(9);
  for (let round = 0; round < 30; round++) {
    using directory = temporaryDirectory();
    const [source, wanted, got] = ['source', 'wanted', 'got'].map((name) => {
      const path = join(directory.path, name, 'chunks');
      mkdirSync(path, { recursive: true });
      return path;
    }) as [string, string, string];
    const series = Array.from({ length: 20 }, () =>
      Array.from({ length: 1 + random.below(5) }, () => randomChunk(random)),
    );
    const refs = write(new SegmentWriter(systemFiles, source, 500), series);
    // Some chunks are taken over, some are new; the order stays that of the source, with pieces left out.
    using windows = new SegmentWindows(join(directory.path, 'source'), 100);
    const chosen = series
      .map((chunks, i) =>
        chunks
          .map((chunk, k) => ({ chunk, ref: refs[i]?.[k] ?? 0 }))
          .filter(() => random.below(4) > 0),
      )
      .filter((chunks) => chunks.length > 0);
    const framed = chosen.map((chunks) =>
      chunks.map(({ chunk, ref }) => {
        const merged = new MergedChunk();
        if (random.below(3) === 0) {
          merged.encoding = chunk.encoding;
          merged.data = chunk.data;
        } else {
          merged.ref = ref;
          windows.load(merged);
          deepEqual(Buffer.from(merged.data), Buffer.from(chunk.data));
          equal(merged.encoding, chunk.encoding);
        }
        return merged;
      }),
    );
    const plain = chosen.map((chunks) => chunks.map(({ chunk }) => chunk));
    const want = write(new SegmentWriter(systemFiles, wanted, 400), plain);
    deepEqual(write(new FrameSegments(systemFiles, got, 400), framed), want);
    deepEqual(filesIn(got), filesIn(wanted));
  }
});

test('frame segments: chunks of others are a bug', () => {
  using directory = temporaryDirectory();
  const segments = new FrameSegments(systemFiles, directory.path);
  throws(() => segments.add([xorChunk([[1, 1]])], new Float64Array(1)), /BUG/);
  segments.abandon();
});
