// part of kernel ingest: where things lie in an arena (src/tsdb/head/arena-layout.ts has the same numbers).

// --- arena header, at address h -------------------------------------------------------------------------------------
export const H_BUMP: usize = 8;
export const H_END: usize = 12;
export const H_TABLE: usize = 16;
export const H_MASK: usize = 20;
export const H_USED: usize = 24;
export const H_STAGED: usize = 28;
export const H_STAGED_CAP: usize = 32;
export const H_STAGED_COUNT: usize = 36;
export const H_RECORD: usize = 40;
export const H_RECORD_CAP: usize = 44;
export const H_RECORD_LEN: usize = 48;
export const H_BODY: usize = 52;
export const H_EPOCH: usize = 60;
export const H_SEED: usize = 64;
export const H_MIN_VALID: usize = 72;
export const H_MAXT: usize = 80;
export const H_MINT: usize = 88;
export const H_ERROR_OFFSET: usize = 96;
export const H_MISS_PTR: usize = 100;
export const H_MISS_LEN: usize = 104;
export const H_RESUME: usize = 108;
export const H_ACCEPTED: usize = 112;
export const H_IDENTICAL: usize = 116;
export const H_OUT_OF_ORDER: usize = 120;
export const H_CONFLICTS: usize = 124;
export const H_TOO_OLD: usize = 128;
export const H_HISTOGRAMS: usize = 132;
export const H_EXEMPLARS: usize = 136;
export const H_METADATA: usize = 140;
export const H_TIMESERIES: usize = 144;
export const H_REJECT_SERIES: usize = 148;
export const H_REJECT_T: usize = 152;
export const H_REJECT_KIND: usize = 160;
export const H_HASH_LO: usize = 164;
export const H_HASH_HI: usize = 168;
export const H_CUT: usize = 172;
export const H_CUT_CAP: usize = 176;
export const H_CUT_COUNT: usize = 180;
export const H_ARENA_INDEX: usize = 184;
export const H_ARENA_MASK: usize = 188;
export const H_FREE: usize = 192; // 8 free lists of chunk buffers
export const H_CHUNK_RANGE: usize = 224;
export const H_SAMPLES_PER_CHUNK: usize = 232;
export const H_REF_TABLE: usize = 236;
export const H_REF_MASK: usize = 240;
export const H_UNKNOWN_REFS: usize = 244;
export const H_SAMPLES_TOTAL: usize = 248; // u64
export const H_FREE_METAS: usize = 288; // 5 free lists of chunk meta blocks, of 1, 2, 4, 8 and 16 entries
export const H_OOO_MIN: usize = 400; // i64: samples from here on may come out of order; the largest i64: none
export const H_OOO: usize = 408; // staged samples that are out of order, as H_STAGED
export const H_OOO_CAP: usize = 412;
export const H_OOO_COUNT: usize = 416;

// --- series, 128 bytes ----------------------------------------------------------------------------------------------
export const S_HASH: usize = 0;
export const S_KEY: usize = 8;
export const S_KEY_LEN: usize = 12;
export const S_REF: usize = 16; // u64
export const S_LAST_T: usize = 24; // i64
export const S_LAST_V: usize = 32; // u64
export const S_DELTA: usize = 40; // i64
export const S_CHUNK: usize = 48;
export const S_PUB: usize = 52; // count << 16 | bit length
export const S_GEN: usize = 56; // odd while chunk, metas or their places change
export const S_LEAD: usize = 60;
export const S_TRAIL: usize = 61;
export const S_CLASS: usize = 62;
export const S_ENCODING: usize = 63; // of the open chunk: 0 for XOR, else as in chunk files
export const S_CHUNK_MINT: usize = 64; // i64
export const S_NEXT_AT: usize = 72; // i64
export const S_METAS: usize = 80; // newest block of chunk metas
export const S_META_COUNT: usize = 84;
export const S_STAGED_T: usize = 88; // i64
export const S_STAGED_EPOCH: usize = 96;
export const S_EXTRA: usize = 100; // what few series have; the length of an open histogram chunk is its first word
export const S_STAGED_V: usize = 104; // u64

// --- chunk meta block: prev u32, cap u32, count u32, pad; entries of 32 bytes ----------------------------------------
export const M_HEADER: u32 = 16;
export const M_ENTRY: u32 = 32; // mint i64, maxt i64, file u32 (0: in the arena), offset u32, bytes u32, count u16, encoding u8

export const STAGED_ENTRY: usize = 24; // series u32, pad u32, t i64, v u64
export const CUT_ENTRY: usize = 8; // series u32, address of the meta entry u32

// --- what makes new series ------------------------------------------------------------------------------------------
export const H_SERIES_COUNT: usize = 256;
export const H_SERIES_SLABS: usize = 260;
export const H_PAIR_COUNT: usize = 264;
export const H_PAIR_SLABS: usize = 268;
export const H_NAME_SLABS: usize = 276;
export const H_PAIR_TABLE: usize = 280;
export const H_NEXT_REF: usize = 432; // u64
export const H_NAME_TABLE: usize = 440; // of NAME_TABLE_ENTRIES name numbers plus one, probed linearly
export const H_SERIES_RECORD: usize = 444; // the WAL record of series that are not logged yet
export const H_SERIES_RECORD_CAP: usize = 448;
export const H_SERIES_RECORD_LEN: usize = 452;
export const H_KEY: usize = 456; // room for a key that replay puts together
export const H_KEY_CAP: usize = 460;
export const H_REF_COUNT: usize = 472; // entries of the ref table
export const H_FREE_SMALL: usize = 476; // free lists of regions by size / 8, up to SMALL_MAX
export const H_FREE_SLOTS: usize = 480; // series slots that are free: number plus one, chained by the first word
export const H_FREE_PAIRS: usize = 484; // pair numbers likewise
export const H_DEAD: usize = 488; // slots that hold no series
export const SMALL_MAX: u32 = 16408;
export const NAME_TABLE_ENTRIES: u32 = 4096;

export const S_PAIRS: usize = 112;
export const S_PAIR_COUNT: usize = 116;
export const S_INDEX: usize = 120;
export const S_BYTES: usize = 128;

export const P_HASH: usize = 0;
export const P_NAME: usize = 4;
export const P_VALUE: usize = 8;
export const P_VALUE_LEN: usize = 12;
export const P_FIRST_BLOCK: usize = 16;
export const P_LAST_BLOCK: usize = 20;
export const P_COUNT: usize = 24;
export const P_NEXT: usize = 28;
export const P_BYTES: usize = 32;

export const N_TEXT: usize = 0;
export const N_LEN: usize = 4;
export const N_FIRST: usize = 8;
export const N_LAST: usize = 12;
export const N_COUNT: usize = 16;
export const N_BYTES: usize = 32;

export const B_NEXT: usize = 0;
export const B_CAP: usize = 4;
export const B_USED: usize = 8;
export const B_HEADER: usize = 12;

export const SLAB_SHIFT: u32 = 12;
export const SLAB_MASK: u32 = 4095;
export const SLAB_COUNT: u32 = 4096;

// --- looking ahead (parts/ingest-ahead.as.ts) ------------------------------------------------------------------------
export const H_TOUCHED: usize = 464; // u64: what was loaded ahead, so that loading it is not left out
export const H_AHEAD: usize = 512; // AHEAD entries of 32 bytes
export const AHEAD: u32 = 8;
export const A_KEY: usize = 0;
export const A_KEY_LEN: usize = 4;
export const A_STOP: usize = 8;
export const A_NODE: usize = 12;
export const A_HASH: usize = 16; // u64
export const A_BYTES: usize = 32;
