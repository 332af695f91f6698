/** Store.LabelNames and Store.LabelValues over several blocks, against the plain way; and a bucket that fails. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { compareUtf8 } from '../../lib/utf8.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { GrpcError } from '../../ops/grpc/status.ts';
import type { LabelNamesRequest } from '../../rpc/store/label-messages.ts';
import { decodeResponseHints } from '../../rpc/store/block-hints.ts';
import { xorChunk } from '../../../test/support/block-builder.ts';
import { readBlock } from '../../../test/support/block-frames.ts';
import { GatewayFixture } from '../../../test/support/gateway-fixture.ts';
import type { GatewaySettings, TestGateway } from '../../../test/support/gateway-fixture.ts';
import { until } from '../../../test/support/grpc-peers.ts';

interface Block {
  readonly ulid: string;
  readonly directory: string;
  readonly labels: Readonly<Record<string, string>>;
}

async function addBlock(
  fixture: GatewayFixture,
  labels: Readonly<Record<string, string>>,
  from: number,
  to: number,
): Promise<Block> {
  const series = Array.from({ length: to - from }, (_, i) => ({
    labels: {
      __name__: i % 3 === 0 ? 'm' : 'n',
      i: String(from + i),
      [`only${from}`]: 'ü',
      ...(i % 2 === 0 ? { even: 'yes', cluster: 'of the series' } : {}),
    },
    chunks: [xorChunk([[from * 10 + i, 1]])],
  }));
  return { ...(await fixture.addBlock(series, labels)), labels };
}

const REQUEST: LabelNamesRequest = {
  mint: -1e15,
  maxt: 1e15,
  matchers: [],
  partialResponse: 'warn',
  limit: 0,
  withoutReplicaLabels: [],
};

const call = () => ({ signal: new AbortController().signal, tenant: 'default-tenant' });

async function names(
  gateway: TestGateway,
  request: Partial<LabelNamesRequest> = {},
): Promise<string[]> {
  return [...(await gateway.server.labelNames({ ...REQUEST, ...request }, call())).texts];
}

async function values(
  gateway: TestGateway,
  label: string,
  request: Partial<LabelNamesRequest> = {},
): Promise<string[]> {
  return [...(await gateway.server.labelValues({ ...REQUEST, label, ...request }, call())).texts];
}

/** The label sets of blocks that match, external labels included. */
function plainSets(
  blocks: readonly Block[],
  matchers: readonly Matcher[],
  without: ReadonlySet<string> = new Set(),
): Labels[] {
  return blocks.flatMap(({ directory, labels: external }) =>
    readBlock(directory)
      .series.map(({ labels }) => Labels.fromPairs([...labels, ...Object.entries(external)]))
      .filter((labels) => matchers.every((one) => one.matches(labels.get(one.name))))
      .map((labels) => labels.drop(without)),
  );
}

const sorted = (texts: Iterable<string>): string[] => [...new Set(texts)].sort(compareUtf8);
const namesOf = (sets: readonly Labels[]): string[] =>
  sorted(sets.flatMap((set) => [...set].map(([name]) => name)));
const valuesOf = (sets: readonly Labels[], label: string): string[] =>
  sorted(sets.map((set) => set.get(label)).filter((value) => value !== ''));

test('names and values', async (t) => {
  using fixture = new GatewayFixture();
  const blocks = [
    await addBlock(fixture, { cluster: 'eu', replica: 'a' }, 0, 40),
    await addBlock(fixture, { cluster: 'eu', replica: 'b' }, 20, 60),
    await addBlock(fixture, { cluster: 'us' }, 40, 70),
  ];
  const cases: Record<string, Matcher[]> = {
    none: [],
    'a metric': [new Matcher('=', '__name__', 'm')],
    'a regular expression': [new Matcher('=~', 'i', '[12].')],
    'an external label': [new Matcher('=', 'cluster', 'us')],
    'of both': [new Matcher('!=', 'cluster', 'us'), new Matcher('!=', 'even', 'yes')],
    nothing: [new Matcher('=', 'even', 'no')],
  };
  const ways: Record<string, GatewaySettings> = {
    'as it is': {},
    'lazily, small reads': {
      lazyHeaders: true,
      lazyDownload: true,
      lazyPostings: true,
      batchSize: 3,
    },
  };
  for (const [way, settings] of Object.entries(ways)) {
    const gateway = fixture.gateway(settings);
    await gateway.store.initialSync();
    for (const [name, matchers] of Object.entries(cases)) {
      await t.test(`${way}, ${name}`, async () => {
        const sets = plainSets(blocks, matchers);
        deepEqual(await names(gateway, { matchers }), namesOf(sets));
        for (const label of ['__name__', 'i', 'even', 'replica', 'only20', 'no such label']) {
          deepEqual(await values(gateway, label, { matchers }), valuesOf(sets, label), label);
        }
        const all = namesOf(sets);
        deepEqual(await names(gateway, { matchers, limit: 2 }), all.slice(0, 2));
        const i = valuesOf(sets, 'i');
        deepEqual(await values(gateway, 'i', { matchers, limit: 7 }), i.slice(0, 7));
      });
    }
    await t.test(`${way}, a label that is left out`, async () => {
      const withoutReplicaLabels = ['replica'];
      deepEqual(
        await names(gateway, { withoutReplicaLabels }),
        namesOf(plainSets(blocks, [], new Set(['replica']))),
      );
      deepEqual(await values(gateway, 'replica', { withoutReplicaLabels }), []);
    });
    await t.test(`${way}, a part of the time`, async () => {
      const { hints, texts } = await gateway.server.labelNames(
        { ...REQUEST, mint: 300, maxt: 1000 },
        call(),
      );
      deepEqual(texts, namesOf(plainSets(blocks.slice(2), [])));
      ok(hints !== undefined);
      deepEqual(decodeResponseHints('label names', hints).queriedBlocks, [blocks[2]?.ulid]);
    });
    equal(gateway.budget.used, 0);
    await gateway.close();
  }
});

test('a bucket that fails, and then does not', async () => {
  using fixture = new GatewayFixture();
  const block = await addBlock(fixture, { cluster: 'eu' }, 0, 40);
  const gateway = fixture.gateway();
  await gateway.store.initialSync();
  const matchers = [new Matcher('=', '__name__', 'm')];
  fixture.bucket.plan = () => ({ kind: 'fail' });
  const asks = [() => names(gateway, { matchers }), () => values(gateway, 'i', { matchers })];
  for (const ask of asks) {
    await rejects(ask(), (thrown) => {
      ok(thrown instanceof GrpcError);
      equal(thrown.grpcCode, 'Internal');
      equal(thrown.message, `block ${block.ulid}: injected fault`);
      return true;
    });
  }
  fixture.bucket.plan = undefined;
  deepEqual(await names(gateway, { matchers }), namesOf(plainSets([block], matchers)));
  await gateway.close();
});

test('limits', async () => {
  using fixture = new GatewayFixture();
  const block = await addBlock(fixture, { cluster: 'eu' }, 0, 40);
  const gateway = fixture.gateway({ limits: { series: 5, chunks: 0, bytes: 0 } });
  await gateway.store.initialSync();
  await rejects(names(gateway, { matchers: [new Matcher('=', '__name__', 'm')] }), (thrown) => {
    ok(thrown instanceof GrpcError);
    equal(thrown.grpcCode, 'ResourceExhausted');
    ok(thrown.message.endsWith('exceeded series limit: limit 5 violated (got 14)'), thrown.message);
    return true;
  });
  deepEqual(await names(gateway), namesOf(plainSets([block], [])));
  await gateway.close();
});

test('a block that leaves while a call reads it', async () => {
  using fixture = new GatewayFixture();
  const block = await addBlock(fixture, { cluster: 'eu' }, 0, 40);
  const gateway = fixture.gateway();
  await gateway.store.initialSync();
  const matchers = [new Matcher('=', '__name__', 'm')];
  const gone = Promise.withResolvers<void>();
  let reads = 0;
  fixture.bucket.plan = ({ operation }) =>
    operation === 'get_range' && reads++ === 0 ? { kind: 'hold', until: gone.promise } : undefined;
  const asked = names(gateway, { matchers });
  await until(() => reads > 0);
  await fixture.memory.delete(`${block.ulid}/meta.json`);
  await gateway.store.sync();
  deepEqual(gateway.ulids, []);
  gone.resolve();
  deepEqual(await asked, namesOf(plainSets([block], matchers)));
  deepEqual(await names(gateway), []);
  await gateway.close();
});
