import assert from 'node:assert/strict';
import test from 'node:test';
import { SELECTOR_ACTIONS, parseRelabelConfig } from '../model/relabel-config.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { filterByRelabeling } from './filter-relabel.ts';

function block(ulid: string, labels: Readonly<Record<string, string>>): [string, BlockMeta] {
  const meta = {
    ulid,
    minTime: 0,
    maxTime: 1,
    stats: {},
    compaction: { level: 1 },
    version: 1,
    extra: { thanos: { labels, downsample: { resolution: 0 }, source: '' } },
  };
  return [ulid, meta];
}

const [A, B, C] = ['A', 'B', 'C'].map((last) => `01M7YF2Z91SGB2KEBY4MJJ000${last}`) as [
  string,
  string,
  string,
];
const metas = new Map([
  block(A, { cluster: 'eu', replica: 'a' }),
  block(B, { cluster: 'us', replica: 'b' }),
  block(C, {}),
]);

test('blocks by relabeling rules', async () => {
  const f = async (text: string, want: string[], ignored: string[] = []) => {
    const rules = await parseRelabelConfig({ name: 'r', text }, SELECTOR_ACTIONS);
    assert.deepEqual([...filterByRelabeling(metas, rules, new Set(ignored)).keys()], want);
  };
  await f('', [A, B, C]);
  await f('[{source_labels: [cluster], regex: eu, action: keep}]', [A]);
  await f('[{source_labels: [cluster], regex: eu|, action: drop}]', [B]);
  await f(`[{source_labels: [__block_id], regex: ${C}, action: keep}]`, [C]);
  await f('[{source_labels: [replica], regex: a, action: drop}]', [A, B, C], ['replica']);
  // The last 8 bytes of the MD5 of "eu", "us" and "", modulo 2: 1, 0, 0.
  const shard = (n: number) =>
    `[{source_labels: [cluster], target_label: s, modulus: 2, action: hashmod}, {source_labels: [s], regex: "${n}", action: keep}]`;
  await f(shard(0), [B, C]);
  await f(shard(1), [A]);
});
