/**
 * Where things lie in a head arena (docs/format/head-arena.md draws it). The kernel has the same numbers
 * (src/kernels/parts/ingest-layout.as.ts); the test of the kernel and its twin holds the two together.
 */

/** Address of the header: 0 stays free, so that address 0 can mean "none". */
export const HEADER = 64;

/** Byte offsets in the header. Fields are u32 unless they say otherwise. */
export const H = {
  bump: 8,
  end: 12,
  table: 16,
  tableMask: 20,
  tableUsed: 24,
  staged: 28,
  stagedCapacity: 32,
  stagedCount: 36,
  record: 40,
  recordCapacity: 44,
  recordLength: 48,
  body: 52,
  bodyCapacity: 56,
  epoch: 60,
  /** u64: the key of the hash. */
  seed: 64,
  /** i64 */
  minValidTime: 72,
  /** i64 */
  maxt: 80,
  /** i64 */
  mint: 88,
  errorOffset: 96,
  missPtr: 100,
  missLength: 104,
  resume: 108,
  accepted: 112,
  identical: 116,
  outOfOrder: 120,
  conflicts: 124,
  tooOld: 128,
  histograms: 132,
  exemplars: 136,
  metadata: 140,
  timeseries: 144,
  rejectSeries: 148,
  /** i64 */
  rejectTime: 152,
  /** The offset of the counter that the first rejection went to: outOfOrder, conflicts or tooOld. */
  rejectKind: 160,
  hashLow: 164,
  hashHigh: 168,
  cut: 172,
  cutCapacity: 176,
  cutCount: 180,
  arenaIndex: 184,
  arenaMask: 188,
  /** Eight free lists of chunk buffers by size class. */
  free: 192,
  /** i64 */
  chunkRange: 224,
  samplesPerChunk: 232,
  refTable: 236,
  refMask: 240,
  unknownRefs: 244,
  /** u64 */
  samplesTotal: 248,
  // What only TypeScript uses, the counts published by Atomics.store:
  seriesCount: 256,
  seriesSlabs: 260,
  pairCount: 264,
  pairSlabs: 268,
  nameCount: 272,
  nameSlabs: 276,
  /** Address of the table of pairs: its mask, then pair numbers plus one. */
  pairTable: 280,
  /** Five free lists of chunk meta blocks by {@link metaClass}. */
  freeMetas: 288,
  /** i64: samples from here on may come out of order; the largest i64 when none may. */
  oooMin: 400,
  /** Staged samples that are out of order, as those of `staged`. */
  ooo: 408,
  oooCapacity: 412,
  oooCount: 416,
  /** Published: odd while a request's samples become visible. */
  applied: 420,
  /** Readers that wait for an even `applied`: the writer lets them go first. */
  waiting: 424,
  /** u64: the ref of the next new series, during stage. */
  nextRef: 432,
  /** Address of a table of {@link NAME_TABLE_ENTRIES} name numbers plus one, probed linearly. */
  nameTable: 440,
  /** The WAL record of series that are not logged yet. */
  seriesRecord: 444,
  seriesRecordCapacity: 448,
  seriesRecordLength: 452,
  /** Room for a key that replay puts together. */
  key: 456,
  keyCapacity: 460,
  /** u64: what the kernel has loaded ahead of need. */
  touched: 464,
  /** How many entries the table of refs has. */
  refCount: 472,
  /** Address of free lists of regions by their size / 8, up to {@link SMALL_MAX} bytes. */
  freeSmall: 476,
  /** Series slots that are free: number plus one, chained by their first word. */
  freeSlots: 480,
  /** Pair numbers that are free, likewise. */
  freePairs: 484,
  /** Slots that hold no series. */
  dead: 488,
  /** Published: odd while lists of postings change other than at their ends. */
  indexEpoch: 492,
  /** Eight entries of 32 bytes: messages that the kernel has looked at ahead of their turn. */
  ahead: 512,
  bytes: 768,
} as const;

/** The largest region that has a free list of its own: a largest block of postings. */
export const SMALL_MAX = 16408;

/** limit: entries of the table of names; half of them are used, further names are found by TypeScript only. */
export const NAME_TABLE_ENTRIES = 4096;

/** Byte offsets in a series; it is as long as two cache lines. */
export const S = {
  /** u64 */
  hash: 0,
  key: 8,
  keyLength: 12,
  /** u64 */
  ref: 16,
  /** i64 */
  lastT: 24,
  /** u64: value bits */
  lastV: 32,
  /** i64 */
  delta: 40,
  chunk: 48,
  /** Samples of the open chunk << 16 | its bits. */
  published: 52,
  /** Odd while the places of chunks change. */
  generation: 56,
  /** u8: leading and trailing zeros of the open chunk's last window of value bits; lead 0xff: none yet. */
  lead: 60,
  trail: 61,
  /** u8 */
  sizeClass: 62,
  /** u8: encoding of the open chunk; 0 for XOR. */
  encoding: 63,
  /** i64 */
  chunkMint: 64,
  /** i64 */
  nextAt: 72,
  metas: 80,
  metaCount: 84,
  stagedT: 88,
  stagedEpoch: 96,
  /** Address of what few series have ({@link X}), or 0. */
  extra: 100,
  stagedV: 104,
  /** Address of the pair numbers, u32 each. */
  pairs: 112,
  pairCount: 116,
  index: 120,
  aliases: 124,
  bytes: 128,
} as const;

/** Byte offsets in what few series have: histograms, samples out of order, deleted intervals. */
export const X = {
  /** Bytes of the open chunk when it is not an XOR chunk; the kernel knows this one. */
  openLength: 0,
  /** Address of samples that came out of order ({@link OOO}), or 0. */
  ooo: 4,
  /** Newest block of metas of chunks that are out of order. */
  oooMetas: 8,
  oooMetaCount: 12,
  /** Address of deleted intervals: count, then mint and maxt (i64) each, ascending; or 0. */
  deleted: 16,
  bytes: 24,
} as const;

/** Samples that came out of order and are in no chunk yet, sorted by time. */
export const OOO = {
  count: 0,
  /** u8 each: 0 for a float, else the encoding of a chunk of one sample. */
  kinds: 8,
  /** 16 bytes each: time i64, then value bits u64, or address and length of the chunk. */
  entries: 40,
  entryBytes: 16,
  /** limit: as many as Prometheus puts into a chunk of such samples. */
  capacity: 32,
  bytes: 40 + 32 * 16,
} as const;

/** A block of chunk metas: previous block, capacity, count, then entries, oldest first. */
export const META_BLOCK = { previous: 0, capacity: 4, count: 8, header: 16 } as const;

/** Which free list a block of so many metas (1, 2, 4, 8 or 16) belongs to. */
export function metaClass(capacity: number): number {
  return 31 - Math.clz32(capacity);
}

/** Byte offsets in a chunk meta. */
export const META = {
  /** i64 */
  mint: 0,
  /** i64 */
  maxt: 8,
  /** Sequence number of the chunks_head file; 0: the chunk still lies in the arena at `offset`. */
  file: 16,
  offset: 20,
  length: 24,
  /** u16 */
  count: 28,
  /** u8 */
  encoding: 30,
  /** u8 */
  sizeClass: 31,
  bytes: 32,
} as const;

/** A staged sample: series, time (i64), value bits (u64). */
export const STAGED_BYTES = 24;
/** A cut list entry: series, address of its meta. */
export const CUT_BYTES = 8;
/** An alias node: hash u64, key, key length, series. */
export const ALIAS_BYTES = 24;

/** A label pair (one name with one value). */
export const PAIR = {
  hash: 0,
  name: 4,
  value: 8,
  valueLength: 12,
  firstBlock: 16,
  lastBlock: 20,
  /** Published: how many series of the list may be read. */
  count: 24,
  /** Number of the next pair of the same name, plus one. */
  next: 28,
  bytes: 32,
} as const;

/** A label name. */
export const NAME = {
  text: 0,
  length: 4,
  /** Number of the first pair, plus one. */
  first: 8,
  last: 12,
  /** Published: how many pairs of the chain may be read. */
  count: 16,
  bytes: 32,
} as const;

/** A block of postings: next block, capacity, entries used (the writer's), then series indexes, ascending. */
export const POSTINGS = { next: 0, capacity: 4, used: 8, header: 12 } as const;

/** Answers of the kernel's stage. */
export const STAGE = { done: 0, miss: 1, malformed: 2, irregular: 3, full: 4 } as const;

/** Slabs of fixed-size records: a table of so many slab addresses, each of so many records. */
export const SLAB = { count: 4096, shift: 12, mask: 4095 } as const;
