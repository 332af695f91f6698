/**
 * Mutated files of chunks_head/ as queries read them: files that are damaged when they are open, and entries that are
 * nonsense under right checksums, read and decoded.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { xorChunk } from '../../../test/support/block-builder.ts';
import type { TestSample } from '../../../test/support/block-builder.ts';
import { HISTOGRAM_CASES } from '../../../test/support/histogram-cases.ts';
import { damage, mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { encodePlain } from '../../../test/support/plain-histogram.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { decodeHistogramChunk } from '../../chunkenc/histogram-decode.ts';
import { XorScratch } from '../../chunkenc/xor-scratch.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import {
  ENTRY_CRC_BYTES,
  FILE_HEADER_BYTES,
  headChunkFileName,
} from '../chunks/head-chunk-format.ts';
import { scanHeadChunkFile } from '../chunks/head-chunk-reader.ts';
import type { HeadChunkEntry, HeadChunkScan } from '../chunks/head-chunk-reader.ts';
import { HeadChunkWriter } from '../chunks/head-chunk-writer.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { ChunkSource } from './chunk-source.ts';

const directory = temporaryDirectory();
after(() => directory[Symbol.dispose]());
const chunks = join(directory.path, 'chunks_head');
const path = join(chunks, headChunkFileName(1));

function floatData(count: number): Uint8Array {
  return xorChunk(Array.from({ length: count }, (_, i): TestSample => [1e12 + i * 1000, i / 3]))
    .data;
}

/** Chunks of floats and of histograms; the last entry is short. */
function writeSound(): Buffer {
  mkdirSync(chunks);
  const writer = new HeadChunkWriter(chunks, systemFiles);
  const [histogram] = Object.values(HISTOGRAM_CASES).flatMap((samples) => encodePlain(2, samples));
  ok(histogram !== undefined);
  const data: [encoding: number, data: Uint8Array][] = [
    [1, floatData(3)],
    [1, floatData(120)],
    [2, histogram],
    [0x81, floatData(30)],
    [1, floatData(1)],
  ];
  for (const [i, [encoding, bytes]] of data.entries())
    writer.add({ ref: i + 1, mint: 1e12, maxt: 1e12 + i * 1000, encoding, data: bytes });
  writer.close();
  return readFileSync(path);
}

const sound = writeSound();
const scratch = new XorScratch();

interface Scanned extends HeadChunkScan {
  readonly entries: readonly HeadChunkEntry[];
}

/** As an opening does. */
function scan(bytes: Uint8Array): Scanned {
  writeFileSync(path, bytes);
  const entries: HeadChunkEntry[] = [];
  const found = scanHeadChunkFile(chunks, 1, (entry) => entries.push(entry));
  for (const { start, offset, length } of entries)
    ok(start >= FILE_HEADER_BYTES && offset + length + ENTRY_CRC_BYTES <= bytes.length);
  ok(found.soundEnd <= bytes.length);
  return { ...found, entries };
}

let number = 0;

/** Reads an entry of the file as a query does, the cache empty of it. Decodes to values, or throws. */
function query(source: ChunkSource, { offset, length, count, encoding }: HeadChunkEntry): Buffer {
  const place = { file: 1, offset, length, count };
  scratch.clear();
  const bytes = Buffer.from(source.read(scratch, place));
  const plain = encoding & 0x7f;
  if (plain === 1 || plain === 4) {
    if (!source.append(scratch, { ...place, encoding: plain }, false))
      throw new CorruptionError('no chunk of its count', path, offset);
    equal(scratch.length, count);
    ok(count <= length * 8);
  } else if (plain < 1 || plain > 6) {
    // Replay makes the directory read-only and attaches no such chunk.
    throw new CorruptionError(`unknown encoding ${plain}`, path, offset);
  } else {
    const columns = new HistogramColumns();
    decodeHistogramChunk(bytes, 0, length, plain, columns, path);
    ok(columns.length <= length * 8 && columns.bucketsLength <= length * 8);
  }
  return bytes;
}

// One memory for all: of another size than the cases, so that its allocation is none of theirs.
const memory = PageCache.allocate(8 * 65536);

function withSource<T>(use: (source: ChunkSource) => T): T {
  const handle = { number: number++ % 2000, memories: [], chunksDirectory: chunks };
  const source = new ChunkSource(handle, new PageCache(memory));
  try {
    return use(source);
  } finally {
    source.files.close();
  }
}

const known = scan(sound);
equal(known.problem, undefined);
const contents = withSource((source) => known.entries.map((entry) => query(source, entry)));
equal(contents.length, 5);

testFuzz({
  name: 'files of head chunks that are damaged when they are open',
  run: (random) => {
    const way = random.below(2) === 0 ? mutate : damage;
    const bytes = way(sound, random);
    writeFileSync(path, bytes);
    let failure: unknown;
    withSource((source) => {
      for (const [i, entry] of known.entries.entries()) {
        try {
          deepEqual(query(source, entry), contents[i]);
        } catch (thrown) {
          if (!(thrown instanceof CorruptionError)) throw thrown;
          failure = thrown;
        }
      }
    });
    if (failure !== undefined) throw failure;
    return bytes.length;
  },
});

/** The file with one entry mutated behind its times, and with a checksum that is right. */
function mutatedEntry(entry: HeadChunkEntry, mutated: Uint8Array): Buffer {
  const crc = Buffer.alloc(ENTRY_CRC_BYTES);
  crc.writeUInt32BE(crc32c(mutated));
  const end = entry.offset + entry.length + ENTRY_CRC_BYTES;
  return Buffer.concat([sound.subarray(0, entry.start), mutated, crc, sound.subarray(end)]);
}

testFuzz({
  name: 'head chunks under right checksums',
  run: (random) => {
    const entry = known.entries[random.below(known.entries.length)] as HeadChunkEntry;
    const { start, offset, length } = entry;
    const raw = sound.subarray(start, offset + length);
    // The data alone, so that the frame holds; or all of it.
    const inData = random.below(3) > 0;
    const mutated = (inData ? damage : mutate)(raw, random, inData ? { from: offset - start } : {});
    const bytes = mutatedEntry(entry, mutated);
    const { entries, problem, soundEnd } = scan(bytes);
    if (inData) equal(entries.length, known.entries.length);
    withSource((source) => {
      for (const found of entries) {
        const data = query(source, found);
        equal(data.length, found.length);
      }
    });
    if (problem === undefined) return bytes.length;
    throw new CorruptionError(problem, path, soundEnd);
  },
});
