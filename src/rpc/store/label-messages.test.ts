import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { recordedRequest, recordedResponse } from '../../../test/support/golden-storeapi.ts';
import { Matcher } from '../../model/matcher.ts';
import { MAX_TIME, MIN_TIME } from '../../model/value.ts';
import { encodeAny } from './any-message.ts';
import { decodeResponseHints, encodeResponseHints, type QueryStats } from './block-hints.ts';
import {
  decodeLabelNamesRequest,
  decodeLabelNamesResponse,
  decodeLabelValuesRequest,
  decodeLabelValuesResponse,
  encodeLabelNamesRequest,
  encodeLabelNamesResponse,
  encodeLabelValuesRequest,
  encodeLabelValuesResponse,
} from './label-messages.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const RECORDED = {
  mint: 1699999200000,
  maxt: 1701035960000,
  matchers: [],
  partialResponse: 'warn',
  withoutReplicaLabels: [],
  limit: 0,
} as const;

test('label names and values: recorded calls', () => {
  deepEqual(decodeLabelNamesRequest(recordedRequest('label-names')), RECORDED);
  equal(hex(encodeLabelNamesRequest(RECORDED)), hex(recordedRequest('label-names')));
  const values = { label: 'instance', ...RECORDED };
  deepEqual(decodeLabelValuesRequest(recordedRequest('label-values')), values);
  equal(hex(encodeLabelValuesRequest(values)), hex(recordedRequest('label-values')));

  const names = decodeLabelNamesResponse(recordedResponse('label-names'));
  deepEqual(names.texts, ['__name__', 'cluster', 'instance', 'job', 'replica', '도시']);
  equal(hex(encodeLabelNamesResponse(names)), hex(recordedResponse('label-names')));
  const answer = decodeLabelValuesResponse(recordedResponse('label-values'));
  deepEqual([answer.texts.length, answer.texts[0], answer.warnings], [16, 'host-0:9100', []]);
  equal(hex(encodeLabelValuesResponse(answer)), hex(recordedResponse('label-values')));

  const { hints = { typeUrl: '', value: Buffer.alloc(0) } } = answer;
  equal(hints.typeUrl, 'type.googleapis.com/hintspb.LabelValuesResponseHints');
  const decoded = decodeResponseHints('label values', hints);
  equal(decoded.queriedBlocks.length, 4);
  equal(decoded.queriedBlocks[1], '01M7YF2Z91SGB2KEBY4MJJ0436');
  deepEqual(encodeResponseHints('label values', decoded), {
    ...hints,
    value: new Uint8Array(hints.value),
  });
});

/** By hand from the field numbers of thanos pkg/store/storepb/rpc.proto. */
test('label names and values: bytes', () => {
  const request = {
    mint: MIN_TIME,
    maxt: MAX_TIME,
    matchers: [new Matcher('!=', 'a', 'b')],
    partialResponse: 'abort',
    hints: { typeUrl: 'x', value: Uint8Array.of(0x79) },
    withoutReplicaLabels: ['r'],
    limit: 7,
  } as const;
  const [low, high] = ['80808080808080808001', 'ffffffffffffffff7f'];
  const matcher = '08 0801 120161 1a0162';
  const spaced = (text: string): string => text.replaceAll(' ', '');
  equal(
    hex(encodeLabelNamesRequest(request)),
    spaced(`1001 18${low} 20${high} 2a06 0a0178 120179 32${matcher} 3a0172 4007`),
  );
  deepEqual(decodeLabelNamesRequest(encodeLabelNamesRequest(request)), request);
  const values = { label: 'l', ...request };
  equal(
    hex(encodeLabelValuesRequest(values)),
    spaced(`0a016c 1801 20${low} 28${high} 3206 0a0178 120179 3a${matcher} 420172 4807`),
  );
  deepEqual(decodeLabelValuesRequest(encodeLabelValuesRequest(values)), values);
  const response = { texts: ['a', ''], warnings: ['w'] };
  for (const bytes of [encodeLabelNamesResponse(response), encodeLabelValuesResponse(response)]) {
    equal(hex(bytes), spaced('0a0161 0a00 120177'));
    deepEqual(decodeLabelNamesResponse(bytes), response);
    deepEqual(decodeLabelValuesResponse(bytes), response);
  }
  equal(decodeLabelNamesRequest(Buffer.from('0801', 'hex')).partialResponse, 'abort');
  equal(decodeLabelValuesRequest(Buffer.from('1001', 'hex')).partialResponse, 'abort');
});

test('label names and values: what is wrong', () => {
  const bad = Buffer.from('1aff', 'hex');
  const decoders = [
    decodeLabelNamesRequest,
    decodeLabelValuesRequest,
    decodeLabelNamesResponse,
    decodeLabelValuesResponse,
  ];
  for (const decode of decoders) throws(() => decode(bad), { code: 'corrupt' });
  const regexp = Buffer.from('320808021201611a0128', 'hex');
  throws(() => decodeLabelNamesRequest(regexp), {
    code: 'bad_data',
    message: 'error parsing regexp: missing closing ): `(`',
  });
});

test('hints of answers to Series carry statistics', () => {
  const counts = [
    'blocksQueried',
    'mergedSeriesCount',
    'mergedChunksCount',
    'postingsTouched',
    'postingsTouchedSizeSum',
    'postingsToFetch',
    'postingsFetched',
    'postingsFetchedSizeSum',
    'postingsFetchCount',
    'seriesTouched',
    'seriesTouchedSizeSum',
    'seriesFetched',
    'seriesFetchedSizeSum',
    'seriesFetchCount',
    'chunksTouched',
    'chunksTouchedSizeSum',
    'chunksFetched',
    'chunksFetchedSizeSum',
    'chunksFetchCount',
    'dataDownloadedSizeSum',
  ];
  const numbers = Object.fromEntries(counts.map((name, i) => [name, i + 1]));
  const queryStats = { ...numbers, getAllDurationMs: 1500.25, mergeDurationMs: 0 } as QueryStats;
  const hints = { queriedBlocks: ['A'], queryStats };
  const any = encodeResponseHints('series', hints);
  // Fields 1 to 20 hold their own numbers; 21 is 1 s and 500,250,000 ns, 22 is there and empty.
  const fields = counts.map((_, i) => {
    const tag = (i + 1) * 8;
    const first = tag < 128 ? [tag] : [(tag & 127) | 128, tag >> 7];
    return hex(Uint8Array.from([...first, i + 1]));
  });
  const nanos = '90ebc4ee01';
  const stats = `${fields.join('')}aa0108080110${nanos}b20100`;
  const length = (stats.length / 2).toString(16);
  equal(hex(any.value), `0a030a014112${length}${stats}`);
  deepEqual(decodeResponseHints('series', any), hints);
  deepEqual(decodeResponseHints('series', encodeResponseHints('series', { queriedBlocks: [] })), {
    queriedBlocks: [],
  });
  const url = Buffer.from('type.googleapis.com/hintspb.LabelNamesResponseHints');
  const packed = encodeResponseHints('label names', { queriedBlocks: [] });
  equal(hex(encodeAny(packed)), `0a${url.length.toString(16)}${hex(url)}`);
});
