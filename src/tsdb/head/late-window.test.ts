/** How far behind the newest sample others are taken: Prometheus' rule (tsdb/head_append.go appendable, head.go initTime). */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { MaintainedTsdb } from '../../../test/support/maintained-tsdb.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { encodeWriteRequest } from '../../../test/support/write-request.ts';
import type { TestHistogram, TestSeries } from '../../../test/support/write-request.ts';

const HOUR = 3_600_000;
const T = 1_700_000_000_000;

function histogramAt(t: number): TestHistogram {
  return { t, isFloat: false, schema: 0, sum: 1, zeroCount: 0, spans: [0, 1], buckets: [1] };
}

const floats = (name: string, times: readonly number[]): TestSeries => ({
  labels: [['__name__', name]],
  samples: times.map((t) => [t, 1]),
});
const histograms = (name: string, times: readonly number[]): TestSeries => ({
  labels: [['__name__', name]],
  samples: [],
  histograms: times.map(histogramAt),
});

test('an empty head begins with the first sample of a request: what is behind it is late, or too old', async () => {
  const f = async (series: TestSeries[], want: Record<string, number>): Promise<void> => {
    using directory = temporaryDirectory();
    using tsdb = new MaintainedTsdb({ directory: directory.path, outOfOrderWindowMs: HOUR });
    const counts = await tsdb.db.writeDecoded(encodeWriteRequest(series));
    const { accepted, histograms: stored, late, tooOld, outOfOrder } = counts;
    deepEqual({ accepted, histograms: stored, late, tooOld, outOfOrder }, want);
  };
  const none = { accepted: 0, histograms: 0, late: 0, tooOld: 0, outOfOrder: 0 };
  await f([floats('a', [T, T + 5, T - 1, T - HOUR])], { ...none, accepted: 4, late: 2 });
  await f([floats('a', [T, T - HOUR - 1])], { ...none, accepted: 1, tooOld: 1 });
  await f([floats('a', [T]), floats('b', [T + HOUR, T - 1])], { ...none, accepted: 3, late: 1 });
  await f([histograms('a', [T, T - 1, T - HOUR - 1])], {
    ...none,
    histograms: 2,
    late: 1,
    tooOld: 1,
  });
  await f([floats('empty', []), histograms('a', [T]), floats('b', [T, T - 2 * HOUR])], {
    ...none,
    accepted: 1,
    histograms: 1,
    tooOld: 1,
  });
});
