/** Recorded gRPC calls of Thanos: their messages by the generated code, and by what src/rpc makes of them. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DescFile, DescMethod } from '@bufbuild/protobuf';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { file_exemplars } from '../src/gen/exemplars_pb.ts';
import { file_info } from '../src/gen/info_pb.ts';
import { file_metadata } from '../src/gen/metadata_pb.ts';
import { file_query } from '../src/gen/query_pb.ts';
import { file_rules } from '../src/gen/rules_pb.ts';
import { file_status } from '../src/gen/status_pb.ts';
import { file_store } from '../src/gen/store_pb.ts';
import { file_targets } from '../src/gen/targets_pb.ts';
import { decodeInfoResponse, encodeInfoResponse } from '../src/rpc/info/info-messages.ts';
import { decodeResponseHints } from '../src/rpc/store/block-hints.ts';
import {
  decodeLabelNamesRequest,
  decodeLabelNamesResponse,
  decodeLabelValuesRequest,
  decodeLabelValuesResponse,
  encodeLabelNamesRequest,
  encodeLabelNamesResponse,
  encodeLabelValuesRequest,
  encodeLabelValuesResponse,
} from '../src/rpc/store/label-messages.ts';
import { decodeSeriesRequest, encodeSeriesRequest } from '../src/rpc/store/series-request.ts';
import { plainMessage } from './support/proto-plain.ts';
import { splitFrames } from './support/recorded-frames.ts';

const GOLDEN = fileURLToPath(new URL('../../shared/golden', import.meta.url));
const skip = existsSync(GOLDEN) ? false : 'the golden data (../shared/golden) are not here';

interface RecordedCall {
  readonly name: string;
  /** `/thanos.Store/Series` */
  readonly method: string;
  /** What was asked, defaults spelled out or not. */
  readonly request: Record<string, unknown>;
  readonly frames: number;
  readonly error: { readonly code: number; readonly details: string } | null;
}

const FILES: readonly DescFile[] = [
  file_store,
  file_info,
  file_query,
  file_rules,
  file_targets,
  file_metadata,
  file_exemplars,
  file_status,
];

function methodOf(path: string): DescMethod {
  const [, service = '', name = ''] = path.split('/');
  const found = FILES.flatMap(({ services }) => services)
    .find(({ typeName }) => typeName === service)
    ?.methods.find((method) => method.name === name);
  ok(found !== undefined, path);
  return found;
}

/** The calls of a folder, with what was sent and what came back. */
function* calls(folder: string) {
  const file = (name: string): Buffer => readFileSync(join(GOLDEN, folder, name));
  for (const call of JSON.parse(file('index.json').toString()) as RecordedCall[]) {
    const request = file(`${call.name}.request.bin`);
    const frames = splitFrames(file(`${call.name}.response.bin`));
    equal(frames.length, call.frames, call.name);
    const json = JSON.parse(file(`${call.name}.response.json`).toString()) as {
      readonly first_frames: readonly unknown[];
    };
    yield { call, request, frames, first: json.first_frames, name: `${folder}/${call.name}` };
  }
}

/** A recorded answer without what the recorder added: the name of the case of a oneof. */
function withoutCases(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutCases);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([name, member]) => !(name === 'result' && typeof member === 'string' && member in value),
  );
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutCases(member)]));
}

/** What defaults look like in recorded requests; the texts are the first values of enums. */
const DEFAULTS: readonly unknown[] = ['', '0', 0, false, 'EQ', 'ALL', 'ANY', 'WARN'];

/** Defaults are in some recorded requests and never in a message; numbers are texts in some. */
function withoutDefaults(value: unknown): unknown {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, member]) => !DEFAULTS.includes(member));
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutDefaults(member)]));
}

for (const folder of ['storeapi', 'storeapi-live']) {
  test(`${folder}: generated messages, and back to their bytes`, { skip }, () => {
    let count = 0;
    for (const { call, request, frames, first, name } of calls(folder)) {
      const { input, output } = methodOf(call.method);
      const asked = withoutDefaults(plainMessage(input, fromBinary(input, request)));
      deepEqual(asked, withoutDefaults(call.request), name);
      for (const [i, frame] of frames.entries()) {
        const message = fromBinary(output, frame);
        if (i < first.length)
          deepEqual(plainMessage(output, message), withoutCases(first[i]), name);
        equal(Buffer.from(toBinary(output, message)).compare(frame), 0, `${name} frame ${i}`);
        count++;
      }
    }
    ok(count > 10, `${count} frames`);
  });
}

test('requests and answers as plain data, and back to their bytes', { skip }, () => {
  const seen = new Set<string>();
  for (const { call, request, frames, name } of [...calls('storeapi'), ...calls('storeapi-live')]) {
    const again = (bytes: Uint8Array, frame: Uint8Array): void => {
      equal(Buffer.compare(bytes, frame), 0, name);
      seen.add(call.method);
    };
    const [frame = Buffer.alloc(0)] = frames;
    const { input } = methodOf(call.method);
    // As a sender that leaves defaults out writes it.
    const terse = toBinary(input, fromBinary(input, request));
    if (call.method === '/thanos.info.Info/Info') {
      again(encodeInfoResponse(decodeInfoResponse(frame)), frame);
    } else if (call.method === '/thanos.Store/LabelNames') {
      again(encodeLabelNamesRequest(decodeLabelNamesRequest(request)), terse);
      again(encodeLabelNamesResponse(decodeLabelNamesResponse(frame)), frame);
    } else if (call.method === '/thanos.Store/LabelValues') {
      again(encodeLabelValuesRequest(decodeLabelValuesRequest(request)), terse);
      again(encodeLabelValuesResponse(decodeLabelValuesResponse(frame)), frame);
    } else if (call.method === '/thanos.Store/Series' && call.error === null) {
      again(encodeSeriesRequest(decodeSeriesRequest(request)), terse);
    } else if (call.method === '/thanos.Store/Series') {
      const message = call.error?.details ?? '';
      throws(() => decodeSeriesRequest(request), { code: 'bad_data', message }, name);
    }
  }
  equal(seen.size, 4);
});

test('hints of label answers name the blocks that were asked', { skip }, () => {
  const names = new Set<string>();
  for (const { call, frames } of calls('storeapi')) {
    if (!call.method.startsWith('/thanos.Store/Label')) continue;
    const [frame = Buffer.alloc(0)] = frames;
    const isNames = call.method.endsWith('LabelNames');
    const { hints } = isNames ? decodeLabelNamesResponse(frame) : decodeLabelValuesResponse(frame);
    ok(hints !== undefined);
    const decoded = decodeResponseHints(isNames ? 'label names' : 'label values', hints);
    for (const ulid of decoded.queriedBlocks) names.add(ulid);
  }
  equal(names.size, 4);
  for (const ulid of names) ok(existsSync(join(GOLDEN, 'bucket', ulid)), ulid);
});
