/**
 * Answers of Store.Series as bytes: SeriesResponse of one series, of a batch, of a warning or of hints (proto/store.proto).
 * Parts of messages are handed on as they are.
 */
import { sizeUvarint, writeUvarint } from '../../lib/varint.ts';
import { COPIED_PART_BYTES } from '../../ops/grpc/message-writer.ts';

/** Fields of SeriesResponse, and `series` of SeriesBatch. */
const SERIES_TAG = 0x0a;
const WARNING_TAG = 0x12;
const HINTS_TAG = 0x1a;
const BATCH_TAG = 0x22;
const BATCHED_TAG = 0x0a;

/** perf: bytes after which whoever sends waits for room. */
const UNAWAITED_BYTES = 64 * 1024;

/**
 * Where messages go: resolves when there is room for more. Parts of up to {@link COPIED_PART_BYTES} have been copied when it returns;
 * larger ones are not changed afterwards.
 */
export type WriteMessage = (parts: readonly Uint8Array[]) => Promise<void>;

/** Writes the answer of one call. What it is given may be used again when {@link SeriesWriter.release} says so. */
export class SeriesWriter {
  readonly #write: WriteMessage;
  readonly #batchSize: number;
  #batch: Uint8Array[] = [];
  #batchCount = 0;
  #batchBytes = 0;
  #unawaited = 0;
  #ignored: Promise<void> | undefined;
  /** To be called when the batch has been handed on. */
  readonly #releases: (() => void)[] = [];

  /** Above one, `batchSize` series make one message; otherwise each is its own. */
  constructor(write: WriteMessage, batchSize: number) {
    this.#write = write;
    this.#batchSize = batchSize;
  }

  /**
   * Writes a series: its labels as the field `labels`, and its chunks as the field `chunks`, of altogether `bytes`. Answers a promise
   * when the caller is to wait for it. Parts must stay as they are until {@link release} has called back.
   */
  series(parts: readonly Uint8Array[], bytes: number): Promise<void> | undefined {
    if (this.#batchSize > 1) {
      this.#batch.push(header(BATCHED_TAG, bytes));
      for (const part of parts) pushCut(part, this.#batch);
      this.#batchBytes += 1 + sizeUvarint(bytes) + bytes;
      this.#batchCount++;
      return this.#batchCount >= this.#batchSize ? this.#sendBatch() : undefined;
    }
    const message = [header(SERIES_TAG, bytes)];
    for (const part of parts) pushCut(part, message);
    return this.#send(message, bytes);
  }

  /** Calls back as soon as nothing that was written so far is needed any more. */
  release(callback: () => void): void {
    if (this.#batchCount === 0) callback();
    else this.#releases.push(callback);
  }

  /** The answer has ended, or broken off. */
  close(): void {
    for (const callback of this.#releases.splice(0)) callback();
  }

  /** Writes a warning, behind what came before it. */
  async warning(text: string): Promise<void> {
    await this.#other(WARNING_TAG, Buffer.from(text));
  }

  /** Writes hints: the bytes of a google.protobuf.Any. */
  async hints(any: Uint8Array): Promise<void> {
    await this.#other(HINTS_TAG, any);
  }

  /** Sends what is left. */
  async flush(): Promise<void> {
    if (this.#batchCount > 0) await this.#sendBatch();
  }

  async #other(tag: number, bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#write([header(tag, bytes.length), bytes]);
  }

  #sendBatch(): Promise<void> | undefined {
    const bytes = this.#batchBytes;
    const parts = [header(BATCH_TAG, bytes), ...this.#batch];
    this.#batch = [];
    this.#batchCount = 0;
    this.#batchBytes = 0;
    const room = this.#send(parts, bytes);
    this.close();
    return room;
  }

  #send(parts: readonly Uint8Array[], bytes: number): Promise<void> | undefined {
    const room = this.#write(parts);
    this.#unawaited += bytes;
    if (this.#unawaited < UNAWAITED_BYTES) {
      // Nobody waits for this one: that there is no client any more shows at the next. perf: mostly it is the same promise.
      if (room !== this.#ignored) room.catch(() => undefined);
      this.#ignored = room;
      return undefined;
    }
    this.#unawaited = 0;
    return room;
  }
}

/**
 * Puts a part behind others, in pieces that whoever sends them copies. perf: the memory of a large part can then be used for the next
 * series; memory that is new each time costs more in the garbage collector than the copy.
 */
function pushCut(part: Uint8Array, into: Uint8Array[]): void {
  if (part.length <= COPIED_PART_BYTES) {
    into.push(part);
    return;
  }
  for (let at = 0; at < part.length; at += COPIED_PART_BYTES) {
    into.push(part.subarray(at, at + COPIED_PART_BYTES));
  }
}

/** A tag and a length. */
function header(tag: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + sizeUvarint(length));
  bytes[0] = tag;
  writeUvarint(bytes, 1, length);
  return bytes;
}
