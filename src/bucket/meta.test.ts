import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tinyMeta, tinyUlid } from '../../test/support/tiny-block.ts';
import type { CodedError } from '../lib/errors.ts';
import { encodeBlockMeta, parseBlockMeta } from '../tsdb/block/meta.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { formatUploadTime, readThanos, type ThanosMeta, uploadTimeMs, withThanos } from './meta.ts';

/** A meta with a Thanos part. */
function metaWith(thanos: unknown): BlockMeta {
  return { ...tinyMeta({ ulid: tinyUlid(1) }), extra: { thanos } };
}

/** The Thanos part as it is written. */
function encoded(thanos: ThanosMeta): unknown {
  const text = encodeBlockMeta(withThanos(metaWith({}), thanos));
  return (JSON.parse(text) as { thanos: unknown }).thanos;
}

const MINIMAL: ThanosMeta = { labels: {}, downsample: { resolution: 0 }, source: '' };

test('thanos meta: what is left out, and what Go never leaves out', () => {
  const zero = {
    labels: {},
    downsample: { resolution: 0 },
    source: '',
    index_stats: {},
    upload_time: '0001-01-01T00:00:00Z',
  };
  deepEqual(readThanos({ ...metaWith(0), extra: {} }, 'x'), MINIMAL);
  deepEqual(encoded(MINIMAL), zero);
  deepEqual(
    encoded({
      ...MINIMAL,
      version: 0,
      segment_files: [],
      files: [],
      rewrites: [],
      index_stats: { series_max_size: 0, chunk_max_size: 0 },
      extensions: null,
    }),
    zero,
  );
  deepEqual(encoded({ ...MINIMAL, files: [{ rel_path: 'a', size_bytes: 0 }] }), {
    ...zero,
    files: [{ rel_path: 'a' }],
  });
});

test('thanos meta: null is absent', () => {
  const nulls = {
    version: null,
    labels: null,
    downsample: null,
    source: null,
    segment_files: null,
    files: null,
    rewrites: null,
    index_stats: null,
    extensions: null,
    upload_time: null,
  };
  deepEqual(readThanos(metaWith(nulls), 'x'), MINIMAL);
  deepEqual(
    readThanos(metaWith({ files: [{ rel_path: 'a', size_bytes: null, hash: null }] }), 'x'),
    {
      ...MINIMAL,
      files: [{ rel_path: 'a' }],
    },
  );
  deepEqual(readThanos(metaWith({ version: 0 }), 'x'), { ...MINIMAL, version: 0 });
});

test('thanos meta: what later versions add is carried, at every depth', () => {
  const thanos = {
    future: { a: [1, null] },
    labels: { b: '2', a: '1' },
    downsample: { by: 'someone', resolution: 300_000 },
    source: 'new.kind',
    files: [
      { new: 1, rel_path: 'index', size_bytes: 3, hash: { x: 1, value: 'ab', hashFunc: 'B3' } },
    ],
    rewrites: [{ sources: [], anything: null }],
    index_stats: { p99: 3, chunk_max_size: 5 },
    extensions: { parquet_migrated: true, deep: { n: null } },
    upload_time: '2026-11-21T07:10:47.363832369Z',
  };
  const meta = { ...metaWith(thanos), extra: { before: 1, thanos, after: 2 } };
  const written = withThanos(meta, readThanos(meta, 'x'));
  deepEqual(Object.keys(written.extra), ['thanos', 'before', 'after']);
  deepEqual(written.extra['thanos'], thanos);
  const text = encodeBlockMeta(written);
  const order = [...text.slice(text.indexOf('"thanos"')).matchAll(/^\t\t"(\w+)":/gm)];
  deepEqual(
    order.map((match) => match[1]),
    [
      'labels',
      'downsample',
      'source',
      'files',
      'rewrites',
      'index_stats',
      'extensions',
      'upload_time',
      'future',
    ],
  );
  equal(/"a": "1",\s+"b": "2"/.test(text), true);
  equal(
    /"rel_path": "index",\s+"size_bytes": 3,\s+"hash": \{\s+"hashFunc": "B3",\s+"value": "ab",\s+"x": 1\s+\},\s+"new": 1/.test(
      text,
    ),
    true,
  );
});

test('thanos meta: labels are written in UTF-8 order', () => {
  const labels = { '😀': 'x', '～': 'y', b: '<&>', B: '\u2028' };
  const text = encodeBlockMeta(withThanos(metaWith({}), { ...MINIMAL, labels }));
  const lines = text.slice(text.indexOf('"labels"')).split('\n').slice(1, 5);
  deepEqual(lines, [
    '\t\t\t"B": "\\u2028",',
    '\t\t\t"b": "\\u003c\\u0026\\u003e",',
    '\t\t\t"～": "y",',
    '\t\t\t"😀": "x"',
  ]);
});

test('thanos meta: what is wrong, with path and field', () => {
  const f = (thanos: unknown, message: string): void => {
    throws(
      () => readThanos(metaWith(thanos), 'b/meta.json'),
      { code: 'corrupt', message },
      message,
    );
  };
  f([], 'thanos is [], want an object (b/meta.json)');
  f({ version: 2 }, 'thanos.version is 2, want the version 1 (b/meta.json)');
  f({ labels: [] }, 'thanos.labels is [], want an object (b/meta.json)');
  f({ labels: { a: 1 } }, 'thanos.labels.a is 1, want a text (b/meta.json)');
  f({ downsample: 5 }, 'thanos.downsample is 5, want an object (b/meta.json)');
  f(
    { downsample: { resolution: -1 } },
    'thanos.downsample.resolution is -1, want a count (b/meta.json)',
  );
  f({ source: 1 }, 'thanos.source is 1, want a text (b/meta.json)');
  f({ segment_files: 'a' }, 'thanos.segment_files is "a", want a list (b/meta.json)');
  f({ segment_files: ['a', 2] }, 'thanos.segment_files[1] is 2, want a text (b/meta.json)');
  f({ files: [{}] }, 'thanos.files[0].rel_path is missing, want a text (b/meta.json)');
  f(
    { files: [{ rel_path: 'a' }, { rel_path: 'b', size_bytes: '3' }] },
    'thanos.files[1].size_bytes is "3", want a count (b/meta.json)',
  );
  f(
    { files: [{ rel_path: 'a', hash: { hashFunc: 'SHA256' } }] },
    'thanos.files[0].hash.value is missing, want a text (b/meta.json)',
  );
  f(
    { index_stats: { series_max_size: 1.5 } },
    'thanos.index_stats.series_max_size is 1.5, want a count (b/meta.json)',
  );
  f({ upload_time: 'now' }, 'thanos.upload_time is "now", want a time (b/meta.json)');
  f({ rewrites: {} }, 'thanos.rewrites is {}, want a list (b/meta.json)');
  f(
    { downsample: { resolution: 2n ** 60n } },
    'thanos.downsample.resolution is 1152921504606846976, want a count (b/meta.json)',
  );
});

test('thanos meta: times as Go writes them', () => {
  const f = (iso: string, want: string): void => equal(formatUploadTime(Date.parse(iso)), want);
  f('2026-11-21T07:10:47.363Z', '2026-11-21T07:10:47.363Z');
  f('2026-11-21T07:10:47.300Z', '2026-11-21T07:10:47.3Z');
  f('2026-11-21T07:10:40.010Z', '2026-11-21T07:10:40.01Z');
  f('2026-11-20T10:00:00.000Z', '2026-11-20T10:00:00Z');
  const at = (upload_time: string) => uploadTimeMs({ ...MINIMAL, upload_time });
  equal(at('2026-11-21T07:10:47.363832369Z'), Date.parse('2026-11-21T07:10:47.363Z'));
  equal(at('0001-01-01T00:00:00Z'), undefined);
  equal(uploadTimeMs(MINIMAL), undefined);
});

const NAMES =
  'version labels downsample source segment_files files rewrites index_stats extensions upload_time resolution rel_path hash'.split(
    ' ',
  );

/** A member whose name has a backslash: the engine's JSON.parse mistakes another one for it (docs/gotchas.md). */
const BACKSLASH_IN_NAME = /"(?:[^"\\]|\\.)*\\\\(?:[^"\\]|\\.)*":/;

test('thanos meta: any JSON gives a meta that can be written and read again, or a sentence', () => {
  const anything = fc
    .jsonValue({ maxDepth: 3 })
    .filter((value) => !BACKSLASH_IN_NAME.test(JSON.stringify(value)));
  const member = fc.constantFrom(...NAMES);
  const likely = fc.dictionary(
    member,
    fc.oneof(anything, fc.dictionary(member, anything), fc.array(fc.dictionary(member, anything))),
  );
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(anything, likely), (value) => {
      const meta = metaWith(value);
      let thanos: ThanosMeta;
      try {
        thanos = readThanos(meta, 'p');
      } catch (thrown) {
        equal((thrown as CodedError).code, 'corrupt', String(thrown));
        return;
      }
      read++;
      const text = encodeBlockMeta(withThanos(meta, thanos));
      const again = parseBlockMeta(text, 'p');
      equal(encodeBlockMeta(withThanos(again, readThanos(again, 'p'))), text);
    }),
    { numRuns: 2000 },
  );
  ok(read > 50, `${read} could be read`);
});
