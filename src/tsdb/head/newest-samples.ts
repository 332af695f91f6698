/**
 * The newest samples of series whose newest chunk is in a file and that have no open one: replay took its time from the
 * entry in the file, its value is in the chunk. Duplicates of a series' newest sample are judged by that value, so that a
 * sender who repeats what he sent is not told that he contradicts himself.
 *
 * A log that is whole holds a newer sample of each series than its files of chunks do. So there are such series only when
 * the log has lost records, as in a machine that died.
 *
 * compat: Prometheus takes any sample of such a time with success and drops it (tsdb/head_append.go, appendable and
 * appendPreprocessor); we tell who sends another value.
 */
import { join } from 'node:path';
import { ENCODING_XOR, ENCODING_XOR2 } from '../../chunkenc/encodings.ts';
import { decodeHistogramChunk } from '../../chunkenc/histogram-decode.ts';
import { transcodeChunk } from '../../chunkenc/transcode.ts';
import { decodeXorTwin } from '../../chunkenc/xor-twin.ts';
import { CorruptionError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { HistogramColumns } from '../../model/histogram.ts';
import type { ArenaIngest } from './arena-ingest.ts';
import { H, META, META_BLOCK, S } from './arena-layout.ts';
import { HeadChunkFiles } from './chunk-source.ts';
import type { HeadWriter } from './head-writer.ts';
import { metaAt } from './meta-list.ts';

/** Bits that no sender's value has: while a histogram is a series' newest sample, no float is a duplicate of it. */
const NO_FLOAT = 0xffffffff;

/** Takes the newest sample of each such series from its chunk. The head is being replayed: nobody else writes to it. */
export function restoreNewestSamples(head: HeadWriter, directory: string, log: Logger): void {
  const chunksDirectory = join(directory, 'chunks_head');
  const files = new HeadChunkFiles({ number: 0, memories: [], chunksDirectory });
  let unknown = 0;
  let reason = '';
  try {
    for (const owner of head.arenas) {
      for (const { series, meta } of seriesInFiles(owner)) {
        try {
          restore(head, { owner, series, meta }, files);
        } catch (thrown) {
          // Its checksum is right: whoever wrote it wrote nonsense, as those will be told who read it.
          if (!(thrown instanceof CorruptionError)) throw thrown;
          unknown++;
          reason ||= thrown.message;
        }
      }
    }
  } finally {
    files.close();
  }
  if (unknown > 0) log.warn('head chunks cannot be decoded', { chunks: unknown, err: reason });
}

/** Tells the judges of floats that a series' newest sample is a histogram. */
export function noFloatIsNewest({ arena }: ArenaIngest, series: number): void {
  arena.set(series + S.lastV, NO_FLOAT);
  arena.set(series + S.lastV + 4, NO_FLOAT);
}

/** The series without an open chunk whose newest one is in a file, with its meta. */
function* seriesInFiles({ arena }: ArenaIngest): Generator<{ series: number; meta: number }> {
  const slabs = arena.header(H.seriesSlabs);
  const count = arena.header(H.seriesCount);
  for (let i = 0; i < count; i++) {
    const series = arena.record(slabs, S.bytes, i);
    const block = arena.get(series + S.metas);
    if (block === 0 || arena.get(series + S.chunk) !== 0) continue;
    const meta = metaAt(block, arena.get(block + META_BLOCK.count) - 1);
    // Those of a snapshot lie in the arena, and it told their newest samples.
    if (arena.get(meta + META.file) !== 0) yield { series, meta };
  }
}

function restore(
  head: HeadWriter,
  { owner, series, meta }: { owner: ArenaIngest; series: number; meta: number },
  files: HeadChunkFiles,
): void {
  const { arena } = owner;
  const file = arena.get(meta + META.file);
  const offset = arena.get(meta + META.offset);
  const encoding = arena.u8[meta + META.encoding] as number;
  const bytes = files.read(file, offset, arena.get(meta + META.length));
  const where = files.path(file);
  if (encoding === ENCODING_XOR || encoding === ENCODING_XOR2) {
    const [low, high] = newestFloat(transcodeChunk(encoding, bytes, where).data, where);
    arena.set(series + S.lastV, low);
    arena.set(series + S.lastV + 4, high);
    return;
  }
  const columns = new HistogramColumns();
  const count = decodeHistogramChunk(bytes, 0, bytes.length, encoding, columns, where);
  if (count > 0) head.histogramWriter(owner).keepNewest(series, columns, count - 1);
  noFloatIsNewest(owner, series);
}

/** The bits of an XOR chunk's newest sample: low half, high half. */
function newestFloat(data: Uint8Array, where: string): readonly [number, number] {
  const count = ((data[0] as number) << 8) | (data[1] as number);
  // A sample takes a bit at least: a larger count is a lie that must not allocate.
  const room = Math.min(count, data.length * 8);
  const out = { t: new Float64Array(room), halves: new Uint32Array(room * 2) };
  if (room < count || count === 0 || decodeXorTwin(data, 0, data.length, count, out, 0, false) < 0)
    throw new CorruptionError(`no XOR chunk of ${count} samples`, where, 0);
  return [out.halves[2 * count - 2] as number, out.halves[2 * count - 1] as number];
}
