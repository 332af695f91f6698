import { deepEqual, equal, throws } from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { CodedError, CorruptionError } from '../../lib/errors.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import type { FileLayer } from '../../lib/file-layer.ts';
import { encodeBlockMeta, parseBlockMeta, readBlockMeta, writeBlockMeta } from './meta.ts';
import type { BlockMeta } from './meta.ts';

const ULID = '01M7YF3BR1GP05WD9HRQQM8XP2';
const PARENT = '01M7YF2Z91SGB2KEBY4MJJ0436';

/** Every member there is, as encoding/json prints it with a tab. */
const FULL = `{
	"ulid": "${ULID}",
	"minTime": 1699999200000,
	"maxTime": 1701035957001,
	"stats": {
		"numSamples": 6,
		"numFloatSamples": 1,
		"numHistogramSamples": 5,
		"numSeries": 2,
		"numChunks": 3,
		"numTombstones": 4
	},
	"compaction": {
		"level": 2,
		"sources": [
			"${PARENT}"
		],
		"deletable": true,
		"parents": [
			{
				"ulid": "${PARENT}",
				"minTime": -5,
				"maxTime": 7
			}
		],
		"failed": true,
		"hints": [
			"from-out-of-order"
		]
	},
	"version": 1,
	"thanos": {
		"labels": {
			"a": "\\u003cb\\u003e \\u0026 \\u2028"
		},
		"extensions": 12345678901234567890
	}
}
`;

/** The least that Prometheus writes. */
const LEAST = `{
	"ulid": "${ULID}",
	"minTime": 0,
	"maxTime": 0,
	"stats": {},
	"compaction": {
		"level": 1
	},
	"version": 1
}`;

test('meta.json: what was read is written as it was', () => {
  const f = (text: string): void => equal(encodeBlockMeta(parseBlockMeta(text, 'meta.json')), text);
  f(FULL);
  f(LEAST);
  f(LEAST.replace('"minTime": 0', '"minTime": -9223372036854775808'));
  f(LEAST.replace('"maxTime": 0', '"maxTime": 9223372036854775807'));
  const full = parseBlockMeta(FULL, '');
  // Metas travel between threads.
  equal(encodeBlockMeta(structuredClone(full)), FULL);
  deepEqual(full.extra['thanos'], {
    labels: { a: '<b> & \u2028' },
    extensions: 12345678901234567890n,
  });
  deepEqual(full.compaction.parents, [{ ulid: PARENT, minTime: -5, maxTime: 7 }]);
  equal(full.stats.numHistogramSamples, 5);
});

test('meta.json: null is what absent is, counts of 0 and empty lists are left out', () => {
  const text = LEAST.replace('"stats": {}', '"stats": {"numSeries": 0, "numChunks": null}').replace(
    '"level": 1',
    '"level": 1, "sources": [], "parents": null, "failed": false, "hints": null',
  );
  equal(encodeBlockMeta(parseBlockMeta(text, '')), LEAST);
});

test('meta.json: what is wrong is said with path and field', () => {
  const f = (from: string, to: string, want: string): void => {
    const error = new CorruptionError(want, 'b/meta.json', 0);
    const text = FULL.replace(from, to);
    throws(
      () => parseBlockMeta(text, 'b/meta.json'),
      (thrown: Error) => {
        equal(thrown.message.replace(/offset \d+/, 'offset 0'), error.message);
        return thrown instanceof CorruptionError;
      },
    );
  };
  f('"version": 1', '"version": 2', 'version is 2, want the version 1');
  f('"version": 1,', '', 'version is missing, want the version 1');
  f(`"ulid": "${ULID}"`, '"ulid": 7', 'ulid is 7, want a ULID');
  f(`"ulid": "${ULID}"`, '"ulid": "x"', 'ulid is "x", want a ULID');
  f('"minTime": 1699999200000,', '', 'minTime is missing, want a time in ms');
  f('1701035957001', '1.5', 'maxTime is 1.5, want a time in ms');
  f('"numSeries": 2', '"numSeries": -1', 'stats.numSeries is -1, want a count');
  f('"level": 2', '"level": "2"', 'compaction.level is "2", want a count');
  f('"minTime": -5', '"minTime": null', 'compaction.parents[0].minTime is null, want a time in ms');
  f('"deletable": true', '"deletable": 1', 'compaction.deletable is 1, want true or false');
  f('"from-out-of-order"', '3', 'compaction.hints[0] is 3, want a text');
  f(`[\n			"${PARENT}"\n		]`, '{}', 'compaction.sources is {}, want a list');
  throws(() => parseBlockMeta('[]', 'm'), /^CorruptionError: the content is \[\], want an object/);
});

test('meta.json: a torn one names the place, whatever is missing', () => {
  for (let end = 0; end < FULL.length - 2; end++) {
    throws(
      () => parseBlockMeta(FULL.slice(0, end), 'm'),
      (thrown: Error) => thrown instanceof CorruptionError && thrown.offset <= end,
      `${end} characters`,
    );
  }
});

test('meta.json: written whole, or not at all', () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'meta.json');
  const meta = parseBlockMeta(FULL, '');
  writeFileSync(`${path}.tmp`, 'left by an earlier try');
  writeBlockMeta(systemFiles, directory.path, meta);
  deepEqual(readBlockMeta(directory.path), meta);
  deepEqual(readdirSync(directory.path), ['meta.json']);
  const other: BlockMeta = { ...meta, stats: {} };
  for (const failing of ['write', 'fsync', 'rename'] as const) {
    const files: FileLayer = {
      ...systemFiles,
      [failing]: () => {
        throw new Error('ENOSPC: no space left on device');
      },
    };
    throws(
      () => writeBlockMeta(files, directory.path, other),
      (thrown: CodedError) =>
        thrown.code === 'unavailable' &&
        thrown.message === `write ${path}: ENOSPC: no space left on device`,
    );
    equal(readFileSync(path, 'utf8'), FULL);
    deepEqual(readdirSync(directory.path), ['meta.json']);
  }
});

test('meta.json: none is told from one that cannot be read', () => {
  using directory = temporaryDirectory();
  const code = (path: string): string => {
    try {
      readBlockMeta(path);
    } catch (thrown) {
      return (thrown as CodedError).code;
    }
    return 'none';
  };
  equal(code(directory.path), 'not_found');
  writeFileSync(join(directory.path, 'file'), '');
  equal(code(join(directory.path, 'file')), 'unavailable');
  equal(existsSync(join(directory.path, 'meta.json')), false);
});
