/** The three kinds of upload bodies as one: chunks that are pulled. */
import { open } from 'node:fs/promises';
import { orAbort, throwIfAborted } from '../lib/abort.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import type { ByteStream, LocalFile, ObjectBody } from './bucket.ts';
import { fileChunks } from './file-chunks.ts';

/**
 * The chunks of a body, each valid until the next is asked for. Ends what the body has open, in every case.
 * @throws CodedError canceled; unavailable when a file cannot be read, or when there are more or fewer bytes than were
 * announced; what the body's own stream throws.
 */
export function bodyChunks(
  body: ObjectBody,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body instanceof Uint8Array) return oneChunk(body, signal);
  return 'file' in body ? localFileChunks(body, signal) : streamChunks(body, signal);
}

async function* oneChunk(
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  throwIfAborted(signal);
  yield bytes;
}

async function* localFileChunks(
  { file }: LocalFile,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  throwIfAborted(signal);
  const handle = await open(file, 'r').catch((thrown: unknown): never => {
    throw new CodedError('unavailable', `read ${file}: ${errorText(thrown)}`, { cause: thrown });
  });
  try {
    const { size } = await handle.stat();
    yield* fileChunks(handle, { size, path: file, reuse: true, signal });
  } finally {
    await handle.close();
  }
}

async function* streamChunks(
  { stream, size }: ByteStream,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = stream[Symbol.asyncIterator]();
  let [sent, ended] = [0, false];
  try {
    for (;;) {
      throwIfAborted(signal);
      const next = await orAbort(iterator.next(), signal);
      if (next.done === true) break;
      sent += next.value.length;
      if (size !== undefined && sent > size) break;
      yield next.value;
    }
    if (size !== undefined && sent !== size) {
      const how = sent > size ? 'more than' : `${sent} of`;
      throw new CodedError('unavailable', `the body has ${how} the ${size} bytes announced`);
    }
    ended = true;
  } finally {
    if (!ended) await endStream(iterator, signal);
  }
}

/** A stream that hangs may never answer, so an abort does not wait for it. */
async function endStream(
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ending = Promise.resolve(iterator.return?.()).catch(() => undefined);
  if (signal?.aborted !== true) await ending;
}
