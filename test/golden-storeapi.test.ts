/**
 * The recorded calls of the StoreAPI, asked of `thanos store` over the same bucket by a client that is not ours: the same messages in the
 * same order, byte for byte; of hints the set of blocks, whose order is free; of errors code and text.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeInfoResponse } from '../src/rpc/info/info-messages.ts';
import { decodeResponseHints } from '../src/rpc/store/block-hints.ts';
import {
  decodeLabelNamesResponse,
  decodeLabelValuesResponse,
} from '../src/rpc/store/label-messages.ts';
import type { LabelsResponse } from '../src/rpc/store/label-messages.ts';
import { RawGrpcClient } from './support/raw-grpc-client.ts';
import { ROOT, startStore } from './support/server-process.ts';

import { temporaryDirectory } from './support/temporary-directory.ts';

const GOLDEN = join(ROOT, '../shared/golden');
const CALLS = join(GOLDEN, 'storeapi');
const skip = existsSync(CALLS) ? false : `no recorded calls in ${CALLS}`;

interface Call {
  readonly name: string;
  readonly method: string;
  readonly frames: number;
  readonly error: { readonly code: number; readonly details: string } | null;
}

const calls: readonly Call[] = skip
  ? []
  : (JSON.parse(readFileSync(join(CALLS, 'index.json'), 'utf8')) as Call[]);

/** Ways to run the gateway, which must make no difference. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  'as it is': [],
  'headers in memory': ['--no-cache-index-header'],
  'lazy headers and postings': [
    '--store.enable-index-header-lazy-reader',
    '--store.index-header-lazy-download-strategy=lazy',
    '--store.enable-lazy-expanded-postings',
    '--block-discovery-strategy=recursive',
  ],
  'small reads': [
    '--debug.series-batch-size=3',
    '--debug.estimated-max-series-size=8',
    '--debug.estimated-max-chunk-size=16',
    '--store.index-header-posting-offsets-in-mem-sampling=1',
  ],
};

for (const [title, args] of Object.entries(VARIANTS)) {
  test(`thanos store, ${title}`, { skip }, async (t) => {
    using directory = temporaryDirectory();
    const bucket = `{type: FILESYSTEM, config: {directory: ${join(GOLDEN, 'bucket')}}}`;
    const store = await startStore({ dataDir: directory.path, bucket, args });
    using client = new RawGrpcClient(store.grpc);
    try {
      for (const call of calls.filter(({ name }) => !name.startsWith('query-'))) {
        await t.test(call.name, () => check(client, call));
        // The second time postings and series may come from caches.
        if (title === 'as it is') await t.test(`${call.name}, again`, () => check(client, call));
      }
    } finally {
      equal(await store.process.stop(), 0);
    }
  });
}

async function check(client: RawGrpcClient, { name, method, frames, error }: Call): Promise<void> {
  const request = readFileSync(join(CALLS, `${name}.request.bin`));
  const want = readFrames(join(CALLS, `${name}.response.bin`));
  equal(want.length, frames);
  const { messages, code, details } = await client.call(method, request);
  deepEqual({ code, details }, error ?? { code: 0, details: '' });
  equal(messages.length, want.length);
  for (const [i, message] of messages.entries()) compare(method, message, want[i] as Buffer, i);
}

function compare(method: string, got: Buffer, want: Buffer, frame: number): void {
  if (method.endsWith('/Series')) ok(got.equals(want), `frame ${frame} differs`);
  else if (method.endsWith('/Info')) deepEqual(infoOf(got), infoOf(want));
  else {
    const [decode, call] = method.endsWith('/LabelNames')
      ? ([decodeLabelNamesResponse, 'label names'] as const)
      : ([decodeLabelValuesResponse, 'label values'] as const);
    deepEqual(plain(decode(got), call), plain(decode(want), call));
  }
}

/** The order of the TSDBs, which Go takes from a map, is free. */
function infoOf(bytes: Buffer): unknown {
  const info = decodeInfoResponse(bytes);
  const tsdbs = info.store?.tsdbs.toSorted((a, b) => (a.labels.key < b.labels.key ? -1 : 1));
  return { ...info, store: { ...info.store, tsdbs } };
}

function plain({ hints, ...rest }: LabelsResponse, call: 'label names' | 'label values'): unknown {
  if (hints === undefined) return rest;
  const { queriedBlocks, ...other } = decodeResponseHints(call, hints);
  return { ...rest, ...other, queriedBlocks: new Set(queriedBlocks) };
}

function readFrames(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at);
    frames.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return frames;
}
