/** Reads what a {@link CrashLoad} has written back from a server, and checks it. */
import type { CrashLedger, Verdict } from './crash-ledger.ts';
import { readRawSamples } from './raw-samples.ts';
import type { RawSeries } from './raw-samples.ts';

/** The sums over all groups, and all samples. */
export interface Verified extends Verdict {
  readonly series: readonly RawSeries[];
}

/** All samples of one group of the ledger, as a server with a Prometheus API has them. */
export function readGroup(
  api: string,
  ledger: CrashLedger,
  group: string,
): Promise<readonly RawSeries[]> {
  const { endMs, spanMs } = ledger.range;
  const selector = `crash_samples{group=${JSON.stringify(group)}}[${Math.ceil(spanMs / 1000)}s]`;
  return readRawSamples(api, selector, endMs / 1000);
}

/** Checks every sample in a server. What is in doubt is decided by it. */
export async function verifyLedger(
  api: string,
  ledger: CrashLedger,
  groups: readonly string[],
): Promise<Verified> {
  const series: RawSeries[] = [];
  const problems: string[] = [];
  const sums = { acknowledged: 0, kept: 0, lost: 0, missing: 0 };
  for (const group of groups) {
    const answer = await readGroup(api, ledger, group);
    series.push(...answer);
    const verdict = ledger.check(group, answer);
    sums.acknowledged += verdict.acknowledged;
    sums.kept += verdict.kept;
    sums.lost += verdict.lost;
    sums.missing += verdict.missing;
    problems.push(...verdict.problems);
  }
  return { ...sums, problems, series };
}
