import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { create, toBinary } from '@bufbuild/protobuf';
import { recordedRequest } from '../../../test/support/golden-storeapi.ts';
import { LabelMatcherSchema } from '../../gen/store-types_pb.ts';
import { SeriesRequestSchema } from '../../gen/store_pb.ts';
import type { CodedError } from '../../lib/errors.ts';
import { Matcher } from '../../model/matcher.ts';
import { MAX_TIME, MIN_TIME } from '../../model/value.ts';
import { decodeRequestHints, encodeRequestHints } from './block-hints.ts';
import { decodeSeriesRequest, encodeSeriesRequest, type SeriesRequest } from './series-request.ts';

const BARE: SeriesRequest = {
  mint: 0,
  maxt: 0,
  matchers: [],
  maxResolutionMs: 0,
  aggregates: [],
  partialResponse: 'warn',
  skipChunks: false,
  withoutReplicaLabels: [],
  limit: 0,
  responseBatchSize: 0,
};

test('series request: recorded ones', () => {
  deepEqual(decodeSeriesRequest(recordedRequest('series-sharded')), {
    ...BARE,
    mint: 1699999200000,
    maxt: 1701035960000,
    matchers: [new Matcher('=', 'job', 'golden')],
    skipChunks: true,
    shard: { index: 0, total: 3, by: true, labels: ['instance'] },
  });
  deepEqual(decodeSeriesRequest(recordedRequest('series-without-replica')), {
    ...BARE,
    mint: 1700000000000,
    maxt: 1700010000000,
    matchers: [new Matcher('=', '__name__', 'g_slow_total')],
    aggregates: ['raw'],
    withoutReplicaLabels: ['replica'],
  });
  // The answer to it was INVALID_ARGUMENT with this text.
  throws(() => decodeSeriesRequest(recordedRequest('series-bad-regex')), {
    code: 'bad_data',
    message: 'error parsing regexp: missing closing ): `a(`',
  });
});

/** By hand from the field numbers of thanos pkg/store/storepb/rpc.proto. */
test('series request: bytes', () => {
  const f = (request: Partial<SeriesRequest>, hex: string): void => {
    const whole = { ...BARE, ...request };
    const want = hex.replaceAll(' ', '');
    equal(Buffer.from(encodeSeriesRequest(whole)).toString('hex'), want);
    deepEqual(decodeSeriesRequest(Buffer.from(want, 'hex')), whole);
  };
  f({}, '');
  f({ mint: MIN_TIME, maxt: MAX_TIME }, '08 80808080808080808001 10 ffffffffffffffff7f');
  f(
    { mint: 1, maxt: 2, maxResolutionMs: 3, limit: 4, responseBatchSize: 5 },
    '0801 1002 2003 7804 800105',
  );
  f({ aggregates: ['raw', 'count', 'sum', 'min', 'max', 'counter'] }, '2a06 000102030405');
  f({ partialResponse: 'abort', skipChunks: true }, '3801 4001');
  f({ matchers: [new Matcher('!~', 'a', 'b')] }, '1a08 0803 120161 1a0162');
  f({ hints: { typeUrl: 'x', value: Buffer.from('y') } }, '4a06 0a0178 120179');
  f({ shard: { index: 1, total: 2, by: true, labels: ['a'] } }, '6a09 0801 1002 1801 220161');
  f({ withoutReplicaLabels: ['a', 'b'] }, '720161 720162');
  const queryHints = {
    stepMs: 1,
    projectionLabels: [],
    projectionInclude: false,
    seriesHashLabelName: '',
  };
  f({ queryHints }, '6202 0801');
  f(
    {
      queryHints: {
        stepMs: 1,
        func: 'rate',
        grouping: { by: true, labels: ['x'] },
        rangeMs: 2,
        projectionLabels: ['y'],
        projectionInclude: true,
        seriesHashLabelName: 'z',
      },
    },
    '621d 0801 12060a0472617465 22050801 1a0178 2a020802 320179 3801 42017a',
  );
});

test('series request: what is superseded, unknown or wrong', () => {
  const decode = (hex: string) => decodeSeriesRequest(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  // partial_response_disabled
  equal(decode('3001').partialResponse, 'abort');
  // step and range are passed over, as are fields of later versions and their aggregates.
  deepEqual(decode('5005 5806 a80105 2a020107'), { ...BARE, aggregates: ['count'] });
  const message = create(SeriesRequestSchema, {
    matchers: [create(LabelMatcherSchema, { type: 9 as never, name: 'a' })],
  });
  throws(() => decodeSeriesRequest(toBinary(SeriesRequestSchema, message)), {
    code: 'bad_data',
    message: 'unrecognized label matcher type 9',
  });
  throws(() => decode('1aff'), {
    code: 'corrupt',
    message: /^the bytes are no thanos\.SeriesRequest: /,
  });
  // Matchers may come from a cache.
  const cached = new Matcher('=', 'job', 'golden');
  const request = decodeSeriesRequest(recordedRequest('series-sharded'), () => cached);
  equal(request.matchers[0], cached);
});

test('series request: mutated bytes give a request or a sentence', () => {
  const seeds = ['series-sharded', 'series-without-replica', 'series-bad-regex'].map(
    recordedRequest,
  );
  const edit = fc.tuple(fc.nat(60), fc.nat(255));
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1 }), (seed, edits) => {
      const bytes = Buffer.from(seed);
      for (const [at, value] of edits) bytes[at % bytes.length] = value;
      try {
        const request = decodeSeriesRequest(bytes);
        if (request.hints !== undefined) decodeRequestHints('series', request.hints);
        encodeSeriesRequest(request);
      } catch (thrown) {
        const { code } = thrown as CodedError;
        equal(['corrupt', 'bad_data'].includes(code), true, String(thrown));
      }
    }),
    { numRuns: 3000 },
  );
});

test('block hints of requests', () => {
  const hints = { blockMatchers: [new Matcher('=~', '__block_id', 'a|b')], queryStats: true };
  const any = encodeRequestHints('series', hints);
  equal(any.typeUrl, 'type.googleapis.com/hintspb.SeriesRequestHints');
  deepEqual(decodeRequestHints('series', any), hints);
  for (const call of ['label names', 'label values'] as const) {
    const packed = encodeRequestHints(call, { ...hints, queryStats: false });
    deepEqual(decodeRequestHints(call, packed), { ...hints, queryStats: false });
  }
  const f = (typeUrl: string, hex: string, message: string | RegExp): void => {
    const wrong = { typeUrl, value: Buffer.from(hex, 'hex') };
    throws(() => decodeRequestHints('label names', wrong), { code: 'bad_data', message });
  };
  const own = 'type.googleapis.com/hintspb.LabelNamesRequestHints';
  f(
    any.typeUrl,
    '',
    'unmarshal label names request hints: mismatched message type: got "hintspb.SeriesRequestHints" want "hintspb.LabelNamesRequestHints"',
  );
  f('x', '', 'unmarshal label names request hints: message type url "x" is invalid');
  f(own, '0aff', /^unmarshal label names request hints: the bytes are no hintspb/);
  // A matcher of type RE, name a, value (.
  f(
    own,
    '0a080802120161 1a0128'.replace(' ', ''),
    'translate request hints labels matchers: error parsing regexp: missing closing ): `(`',
  );
});
