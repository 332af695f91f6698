/** Reads remote read requests (prometheus.ReadRequest, prompb/remote.proto). Behaviour: prometheus storage/remote. */
import { uncompressSync } from 'snappy';
import { CodedError, errorText } from '../lib/errors.ts';
import { decodeUtf8 } from '../lib/utf8.ts';
import { ShortBytesError, readInt64, readUvarint } from '../lib/varint.ts';
import type { ByteCursor } from '../lib/varint.ts';
import { Matcher } from '../model/matcher.ts';
import type { MatchType } from '../model/matcher.ts';

/** limit: bytes of a request, compressed or not, as Prometheus has it. */
export const READ_REQUEST_BYTES_MAX = 32 * 1024 * 1024;

/** One query of a request; times in ms, both ends inclusive. */
export interface ReadQuery {
  readonly mint: number;
  readonly maxt: number;
  /** As sent, external labels included. */
  readonly matchers: readonly Matcher[];
  /** Whether it asks for labels and no samples, as Prometheus does for `/api/v1/series`. */
  readonly labelsOnly: boolean;
}

/** How an answer is made: all samples in one message, or chunks in frames. */
export type ReadResponseType = 'samples' | 'chunks';

/** What a client asks for. */
export interface ReadRequest {
  readonly queries: readonly ReadQuery[];
  readonly responseType: ReadResponseType;
}

/** Types by the number of ReadRequest.ResponseType. */
const RESPONSE_TYPES: readonly ReadResponseType[] = ['samples', 'chunks'];

/** Types by the number of LabelMatcher.Type. */
const MATCH_TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];

/** Reads a request, snappy-compressed. @throws CodedError bad_data for what is none. */
export function parseReadRequest(body: Uint8Array): ReadRequest {
  const bytes = decompress(body);
  const cursor: ByteCursor = { bytes, pos: 0, end: bytes.length };
  const queries: ReadQuery[] = [];
  const types: number[] = [];
  try {
    eachField(cursor, (tag, at) => {
      if (tag === 0x0a) queries.push(readQuery(at));
      else if (tag === 0x10) types.push(readUvarint(at));
      else if (tag === 0x12) while (at.pos < at.end) types.push(readUvarint(at));
    });
  } catch (thrown) {
    if (!(thrown instanceof ShortBytesError)) throw thrown;
    const where = `byte ${cursor.pos} of ${bytes.length}`;
    const text = `malformed read request: not a prometheus.ReadRequest at ${where}`;
    throw new CodedError('bad_data', text, { cause: thrown });
  }
  return { queries, responseType: negotiate(types) };
}

/** The first type of the list that there is; of an empty one, samples: older clients send none. */
function negotiate(accepted: readonly number[]): ReadResponseType {
  if (accepted.length === 0) return 'samples';
  for (const number of accepted) {
    const type = RESPONSE_TYPES[number];
    if (type !== undefined) return type;
  }
  const supported = 'map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]';
  const text = `server does not support any of the requested response types: [${accepted.join(' ')}]; supported: ${supported}`;
  throw new CodedError('bad_data', text);
}

function readQuery(cursor: ByteCursor): ReadQuery {
  let mint = 0;
  let maxt = 0;
  let hints: Hints = { labelsOnly: false, start: 0, end: 0 };
  const matchers: Matcher[] = [];
  eachField(cursor, (tag, at) => {
    if (tag === 0x08) mint = readInt64(at);
    else if (tag === 0x10) maxt = readInt64(at);
    else if (tag === 0x1a) matchers.push(readMatcher(at));
    else if (tag === 0x22) hints = readHints(at);
  });
  const { labelsOnly, start, end } = hints;
  if (start === 0 && end === 0) return { mint, maxt, matchers, labelsOnly };
  // The range of one selector, within that of the whole query.
  return { mint: Math.max(mint, start), maxt: Math.min(maxt, end), matchers, labelsOnly };
}

function readMatcher(cursor: ByteCursor): Matcher {
  let type = 0;
  let name = '';
  let value = '';
  eachField(cursor, (tag, at) => {
    if (tag === 0x08) type = readUvarint(at);
    else if (tag === 0x12) name = rest(at);
    else if (tag === 0x1a) value = rest(at);
  });
  const matchType = MATCH_TYPES[type];
  if (matchType === undefined) throw new CodedError('bad_data', 'invalid matcher type');
  return new Matcher(matchType, name, value);
}

interface Hints {
  readonly labelsOnly: boolean;
  readonly start: number;
  readonly end: number;
}

function readHints(cursor: ByteCursor): Hints {
  let func = '';
  let start = 0;
  let end = 0;
  eachField(cursor, (tag, at) => {
    if (tag === 0x12) func = rest(at);
    else if (tag === 0x18) start = readInt64(at);
    else if (tag === 0x20) end = readInt64(at);
  });
  return { labelsOnly: func === 'series', start, end };
}

function rest(cursor: ByteCursor): string {
  return decodeUtf8(cursor.bytes.subarray(cursor.pos, cursor.end));
}

/** Visits the fields of a message with a cursor over the content of each; what a visitor does not read is passed over. */
function eachField(cursor: ByteCursor, visit: (tag: number, content: ByteCursor) => void): void {
  const { bytes, end } = cursor;
  while (cursor.pos < end) {
    const tag = readUvarint(cursor);
    if (tag < 8) throw new ShortBytesError();
    const from = cursor.pos;
    const content: ByteCursor = { bytes, pos: from, end: contentEnd(cursor, tag & 7) };
    if ((tag & 7) === 2) content.pos = cursor.pos;
    cursor.pos = content.end;
    visit(tag, content);
  }
}

/** Where the content of a field ends; the cursor moves behind its length when it has one. */
function contentEnd(cursor: ByteCursor, wireType: number): number {
  if (wireType === 0) {
    const before = { ...cursor };
    readUvarint(before);
    return before.pos;
  }
  if (wireType !== 1 && wireType !== 2 && wireType !== 5) throw new ShortBytesError();
  const size = wireType === 1 ? 8 : wireType === 5 ? 4 : readUvarint(cursor);
  if (size > cursor.end - cursor.pos) throw new ShortBytesError();
  return cursor.pos + size;
}

/** Decompresses a body whose claimed size is checked before anything is allocated. */
function decompress(body: Uint8Array): Uint8Array {
  let size: number;
  try {
    size = readUvarint({ bytes: body, pos: 0, end: Math.min(body.length, 5) });
  } catch (thrown) {
    throw new CodedError('bad_data', 'snappy: corrupt input', { cause: thrown });
  }
  if (size > READ_REQUEST_BYTES_MAX) {
    const text = `snappy: decoded length ${size} exceeds limit ${READ_REQUEST_BYTES_MAX}`;
    throw new CodedError('bad_data', text);
  }
  try {
    const out = uncompressSync(body, { asBuffer: true, copyOutputData: true });
    return typeof out === 'string' ? Buffer.from(out) : out;
  } catch (thrown) {
    const text = errorText(thrown);
    throw new CodedError('bad_data', text.startsWith('snappy') ? text : `snappy: ${text}`, {
      cause: thrown,
    });
  }
}
