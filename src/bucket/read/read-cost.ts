/**
 * What a call of the StoreAPI cost: items and bytes that were looked at (touched) and that came from the bucket (fetched), and
 * requests by block. Model: thanos pkg/store/bucket.go (queryStats), which hintspb.QueryStats carries.
 */

/** Kinds of data. */
export type DataType = 'postings' | 'series' | 'chunks';

/** Figures of one kind. */
export interface DataCost {
  touched: number;
  touchedBytes: number;
  fetched: number;
  fetchedBytes: number;
  /** Requests to the bucket. */
  fetchCount: number;
}

/** Requests to a bucket for one block. */
export interface BlockRequests {
  gets: number;
  bytes: number;
}

/** The figures of a call; parts of it that run side by side share one. */
export class ReadCost {
  readonly postings: DataCost = emptyCost();
  readonly series: DataCost = emptyCost();
  readonly chunks: DataCost = emptyCost();
  /** By ULID. */
  readonly blocks = new Map<string, BlockRequests>();
  postingsToFetch = 0;
  blocksQueried = 0;
  mergedSeries = 0;
  mergedChunks = 0;
  /** ms. */
  getAllMs = 0;
  mergeMs = 0;

  /** Counts items that were looked at. */
  touch(type: DataType, items: number, bytes: number): void {
    this[type].touched += items;
    this[type].touchedBytes += bytes;
  }

  /** Counts a request to the bucket for items of a block. */
  fetch(type: DataType, ulid: string, items: number, bytes: number): void {
    const cost = this[type];
    cost.fetched += items;
    cost.fetchedBytes += bytes;
    cost.fetchCount++;
    const block = this.blocks.get(ulid);
    if (block === undefined) this.blocks.set(ulid, { gets: 1, bytes });
    else {
      block.gets++;
      block.bytes += bytes;
    }
  }

  /** Bytes of everything, touched and fetched, as Go adds them up. */
  get dataBytes(): number {
    return [this.postings, this.series, this.chunks].reduce(
      (sum, { touchedBytes, fetchedBytes }) => sum + touchedBytes + fetchedBytes,
      0,
    );
  }
}

function emptyCost(): DataCost {
  return { touched: 0, touchedBytes: 0, fetched: 0, fetchedBytes: 0, fetchCount: 0 };
}
