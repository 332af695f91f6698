/** Mutated files of chunks_head/: entries that were written, or none; and entries of nonsense under right checksums. */
import { equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { ScratchFile, damage, mutate, testFuzz } from '../../../test/support/mutation-fuzz.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { CorruptionError } from '../../lib/errors.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { Random } from '../../lib/prng.ts';
import { scanHeadChunkFile } from './head-chunk-reader.ts';
import type { HeadChunkEntry } from './head-chunk-reader.ts';
import { HeadChunkWriter } from './head-chunk-writer.ts';

const directory = temporaryDirectory();
const path = join(directory.path, '000001');

const fixed = new Random(3);
const writer = new HeadChunkWriter(directory.path, systemFiles);
for (let i = 1; i <= 8; i++) {
  const data = Uint8Array.from({ length: 4 + fixed.below(300) }, () => fixed.below(256));
  writer.add({ ref: i, mint: i * 1000, maxt: i * 2000, encoding: 1 + (i % 3), data });
}
writer.close();
const file = new ScratchFile(path);
after(() => {
  file[Symbol.dispose]();
  directory[Symbol.dispose]();
});
const sound = readFileSync(path);
const entries: HeadChunkEntry[] = [];
scanHeadChunkFile(directory.path, 1, (entry) => entries.push(entry));
equal(entries.length, 8);

/** An entry as it was written, by what it is and the bytes that it points to. */
function describe(entry: HeadChunkEntry, bytes: Buffer): string {
  const { ref, mint, maxt, encoding, count, offset, length } = entry;
  const data = bytes.subarray(offset, offset + length).toString('hex');
  return [ref, mint, maxt, encoding, count, data].join();
}

const known = new Set(entries.map((entry) => describe(entry, sound)));

function scan(bytes: Buffer): HeadChunkEntry[] {
  file.put(bytes);
  const found: HeadChunkEntry[] = [];
  const { soundEnd, problem } = scanHeadChunkFile(directory.path, 1, (entry) => found.push(entry));
  ok(soundEnd <= bytes.length);
  for (const { start, offset, length } of found) ok(start < offset && offset + length <= soundEnd);
  if (problem === undefined) return found;
  // What was sound before it counts, and nothing else does.
  for (const entry of found) ok(known.has(describe(entry, bytes)));
  throw new CorruptionError(problem, path, soundEnd);
}

testFuzz({
  name: 'files of chunks_head/',
  run: (random, i) => {
    const bytes = i % 2 === 0 ? damage(sound, random) : mutate(sound, random);
    for (const entry of scan(bytes)) ok(known.has(describe(entry, bytes)));
    return bytes.length;
  },
});

testFuzz({
  name: 'entries of chunks_head/, under right checksums',
  refused: [0.02, 0.98],
  run: (random) => {
    const entry = entries[random.below(entries.length)] as HeadChunkEntry;
    const body = mutate(sound.subarray(entry.start, entry.offset + entry.length), random);
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32c(body));
    const bytes = Buffer.concat([sound.subarray(0, 8), body, crc]);
    const found = scan(bytes);
    ok(found.length <= 1);
    return bytes.length;
  },
});
