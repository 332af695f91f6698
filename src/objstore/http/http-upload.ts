/**
 * Uploads of any body: in one request where that is possible, otherwise in parts. What goes out can be read again for
 * another try: bytes and files are, streams are copied to a buffer of bounded size.
 */
import { rm, stat } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { throwIfAborted } from '../../lib/abort.ts';
import { CodedError, errorText } from '../../lib/errors.ts';
import { bodyChunks } from '../body.ts';
import type { ByteStream, ObjectBody, UploadOptions } from '../bucket.ts';
import type { ObjectApi, PartedUpload, PartToUpload, Send, UploadedPart } from './object-api.ts';
import { bytesPayload, filePayload, type Payload } from './payload.ts';

/** limit: memory of one upload from a stream; two parts of it are in memory at most. */
const STREAM_PART_BYTES = 16 * 1024 * 1024;
/** Parts of a stream are doubled each time that this part of their number is reached: 10,000 parts hold 16 TiB. */
const GROWTH_STEPS = 10;

/** What an upload needs of its bucket. */
export interface UploadContext {
  readonly api: ObjectApi;
  /** Ends with the caller's signal. */
  readonly send: Send;
  /** Cleans up apart from the caller, who may be gone. */
  readonly background: (work: (send: Send) => Promise<void>) => void;
}

/** Writes an object. @throws what the body or the store throws; nothing is there then. */
export async function uploadBody(
  context: UploadContext,
  name: string,
  body: ObjectBody,
  options: UploadOptions,
): Promise<void> {
  const { signal } = options;
  throwIfAborted(signal);
  const { limits } = context.api;
  const upload = new Upload(context, name, options);
  if (body instanceof Uint8Array) {
    await upload.whole(body.length, (offset, size) =>
      bytesPayload(body.subarray(offset, offset + size)),
    );
  } else if ('file' in body) {
    const { size } = await fileStats(body.file);
    await upload.whole(size, (offset, length) => filePayload(body.file, offset, length));
  } else if (limits.partBytes === Infinity) {
    await spooled(body, signal, (file, size) =>
      upload.whole(size, (offset, length) => filePayload(file, offset, length)),
    );
  } else await upload.stream(body);
}

async function fileStats(file: string): Promise<{ size: number }> {
  try {
    return await stat(file);
  } catch (thrown) {
    throw new CodedError('unavailable', `read ${file}: ${errorText(thrown)}`, { cause: thrown });
  }
}

/** Through a temporary file, for stores that take an object in one request only. */
async function spooled(
  body: ByteStream,
  signal: AbortSignal | undefined,
  use: (file: string, size: number) => Promise<void>,
): Promise<void> {
  const file = path.join(tmpdir(), `thanos-ts-upload-${randomUUID()}`);
  try {
    let size = 0;
    const handle = await open(file, 'wx', 0o600);
    try {
      for await (const chunk of bodyChunks(body, signal)) {
        await handle.writeFile(chunk);
        size += chunk.length;
      }
    } finally {
      await handle.close();
    }
    await use(file, size);
  } finally {
    await rm(file, { force: true });
  }
}

/** One object on its way. */
class Upload {
  readonly #context: UploadContext;
  readonly #name: string;
  readonly #options: UploadOptions;

  constructor(context: UploadContext, name: string, options: UploadOptions) {
    this.#context = context;
    this.#name = name;
    this.#options = options;
  }

  /** Content that can be read from anywhere. */
  async whole(size: number, part: (offset: number, size: number) => Payload): Promise<void> {
    const { partBytes, partsMax, partsAtOnce } = this.#context.api.limits;
    if (size <= partBytes) return this.#put(part(0, size));
    const partSize = Math.max(partBytes, Math.ceil(size / partsMax));
    const count = Math.ceil(size / partSize);
    await this.#inParts(async (upload) => {
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < count && !upload.isBroken) {
          const number = ++next;
          const offset = partSize * (number - 1);
          const body = part(offset, Math.min(partSize, size - offset));
          await upload.part({ number, offset, body, isLast: number === count });
        }
      };
      await settled(Array.from({ length: Math.min(partsAtOnce, count) }, worker));
    });
  }

  /** Content that comes once. The store's part size counts only where it is smaller than ours. */
  async stream(body: ByteStream): Promise<void> {
    const { partBytes } = this.#context.api.limits;
    const chunks = new PartReader(bodyChunks(body, this.#options.signal));
    try {
      const first = await chunks.next(Math.min(STREAM_PART_BYTES, partBytes));
      if (chunks.ended) {
        await this.#put(bytesPayload(first));
        return;
      }
      await this.#inParts(async (upload) => {
        await this.#streamParts(upload, chunks, first);
      });
    } finally {
      await chunks.close();
    }
  }

  /** One part is read while the one before goes out. */
  async #streamParts(upload: Parts, chunks: PartReader, first: Uint8Array): Promise<void> {
    const { partsMax } = this.#context.api.limits;
    const step = Math.max(1, Math.floor(partsMax / GROWTH_STEPS));
    let part = first;
    let offset = 0;
    let sending: Promise<unknown> = Promise.resolve();
    try {
      for (let number = 1; ; number++) {
        await sending;
        sending = upload.part({
          number,
          offset,
          body: bytesPayload(part),
          isLast: chunks.ended,
        });
        offset += part.length;
        // Its failure is seen by the next await; until then nobody listens.
        sending.catch(() => undefined);
        if (chunks.ended) break;
        const grown = first.length * 2 ** Math.floor(number / step);
        part = await chunks.next(grown);
        if (part.length === 0) break;
      }
    } finally {
      await sending;
    }
  }

  async #put(payload: Payload): Promise<void> {
    const { api, send } = this.#context;
    await send(api.put(this.#name, this.#options.contentType, payload), 'upload');
  }

  async #inParts(work: (upload: Parts) => Promise<void>): Promise<void> {
    const { api, send, background } = this.#context;
    const { multipart } = api;
    const begun = await multipart.begin(this.#name, this.#options.contentType, send);
    const parts = new Parts(this.#context, begun);
    try {
      await work(parts);
      await multipart.complete(begun, parts.done(), send);
    } catch (thrown) {
      background((sendAnyway) => multipart.abort(begun, parts.done(), sendAnyway));
      throw thrown;
    }
  }
}

/** The parts of one upload that have arrived. */
class Parts {
  readonly #context: UploadContext;
  readonly #upload: PartedUpload;
  readonly #done: UploadedPart[] = [];
  /** Whether a part has failed, so that the others need not begin. */
  isBroken = false;

  constructor(context: UploadContext, upload: PartedUpload) {
    this.#context = context;
    this.#upload = upload;
  }

  async part(part: PartToUpload): Promise<void> {
    const { api, send } = this.#context;
    try {
      const etag = await api.multipart.upload(this.#upload, part, send);
      this.#done.push({ number: part.number, etag, size: part.body.size });
    } catch (thrown) {
      this.isBroken = true;
      throw thrown;
    }
  }

  done(): UploadedPart[] {
    return this.#done.toSorted((a, b) => a.number - b.number);
  }
}

/** Waits for all, so that nothing is under way any more, and throws what the first to fail has thrown. */
async function settled(promises: readonly Promise<void>[]): Promise<void> {
  let first: { readonly thrown: unknown } | undefined;
  await Promise.all(
    promises.map((promise) =>
      promise.catch((thrown: unknown) => {
        first ??= { thrown };
      }),
    ),
  );
  if (first !== undefined) throw first.thrown;
}

/** Gathers chunks to parts of a given size. */
class PartReader {
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>;
  #rest: Uint8Array = new Uint8Array();
  /** Whether nothing comes any more. */
  ended = false;

  constructor(chunks: AsyncGenerator<Uint8Array, void, undefined>) {
    this.#chunks = chunks;
  }

  /** So many bytes in a buffer of their own; fewer at the end. */
  async next(size: number): Promise<Uint8Array> {
    let part = Buffer.allocUnsafeSlow(Math.min(size, 64 * 1024));
    let length = 0;
    for (;;) {
      const taken = Math.min(size - length, this.#rest.length);
      if (length + taken > part.length) {
        const larger = Buffer.allocUnsafeSlow(
          Math.min(size, Math.max(length + taken, part.length * 2)),
        );
        part.copy(larger, 0, 0, length);
        part = larger;
      }
      part.set(this.#rest.subarray(0, taken), length);
      length += taken;
      this.#rest = this.#rest.subarray(taken);
      if (length === size || this.ended) break;
      const next = await this.#chunks.next();
      if (next.done === true) this.ended = true;
      else this.#rest = next.value;
    }
    return part.subarray(0, length);
  }

  async close(): Promise<void> {
    await this.#chunks.return();
  }
}
