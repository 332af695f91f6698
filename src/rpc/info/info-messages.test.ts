import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { recordedResponse } from '../../../test/support/golden-storeapi.ts';
import { Labels } from '../../model/labels.ts';
import { MAX_TIME, MIN_TIME } from '../../model/value.ts';
import {
  checkInfoRequest,
  decodeInfoResponse,
  encodeInfoRequest,
  encodeInfoResponse,
  type ServerInfo,
} from './info-messages.ts';

const replica = (name: string) => Labels.fromObject({ cluster: 'golden', replica: name });

test('info: a recorded store, and back to its bytes', () => {
  const bytes = recordedResponse('store-info');
  const info = decodeInfoResponse(bytes);
  deepEqual(info, {
    labelSets: [replica('a'), replica('b')],
    component: 'store',
    store: {
      mint: 1699999200000,
      maxt: 1701035957001,
      supportsSharding: true,
      supportsWithoutReplicaLabels: true,
      supportsProjections: false,
      tsdbs: [
        { labels: replica('b'), mint: 1699999217000, maxt: 1701035957001 },
        { labels: replica('a'), mint: 1699999200000, maxt: 1701035940001 },
      ],
    },
    rules: false,
    metricMetadata: false,
    targets: false,
    query: false,
    status: false,
  } satisfies ServerInfo);
  deepEqual(Buffer.from(encodeInfoResponse(info)), bytes);
});

test('info: a recorded sidecar has no end, and every API', () => {
  const bytes = recordedResponse('sidecar-info');
  const info = decodeInfoResponse(bytes);
  equal(info.store?.maxt, MAX_TIME);
  deepEqual(info.exemplars, { mint: 0, maxt: 0 });
  const { component, rules, metricMetadata, targets, query, status } = info;
  deepEqual(
    [component, rules, metricMetadata, targets, query, status],
    ['sidecar', true, true, true, false, true],
  );
  deepEqual(Buffer.from(encodeInfoResponse(info)), bytes);
});

test('info: what a server may leave out, and what is no message', () => {
  const bare: ServerInfo = { labelSets: [], component: 'query' };
  const { store, exemplars, labelSets, component, rules } = decodeInfoResponse(
    encodeInfoResponse(bare),
  );
  deepEqual(
    [store, exemplars, labelSets, component, rules],
    [undefined, undefined, [], 'query', false],
  );
  const forever = { mint: MIN_TIME, maxt: MAX_TIME };
  const full: ServerInfo = {
    ...bare,
    exemplars: forever,
    query: true,
    rules: true,
    metricMetadata: true,
    targets: true,
    status: true,
  };
  deepEqual(decodeInfoResponse(encodeInfoResponse(full)), full);
  // 12 05 "query" is all: field 2.
  equal(Buffer.from(encodeInfoResponse(bare)).toString('hex'), '12057175657279');
  equal(encodeInfoRequest().length, 0);
  checkInfoRequest(new Uint8Array());
  const bad = Buffer.from('0affff', 'hex');
  throws(() => decodeInfoResponse(bad), {
    code: 'corrupt',
    message: /^the bytes are no thanos\.info\.InfoResponse: /,
  });
  throws(() => checkInfoRequest(bad), { code: 'corrupt' });
});
