/** Reads what a {@link CrashLoad} has written back from a server, and checks it. */
import { FLOATS, HISTOGRAMS, addSums, noSums } from './crash-ledger.ts';
import type { CrashLedger, Verdict } from './crash-ledger.ts';
import { readRawSamples } from './raw-samples.ts';
import type { RawSeries } from './raw-samples.ts';
import { readRemote } from './remote-read.ts';
import type { RemoteForm } from './remote-read.ts';

/** The sums over all groups, and all samples. */
export interface Verified extends Verdict {
  readonly series: readonly RawSeries[];
}

/**
 * All samples of one group of the ledger, as a server with a Prometheus API has them: floats by a query, histograms,
 * which queries do not show, by remote read.
 */
export async function readGroup(
  api: string,
  ledger: CrashLedger,
  group: string,
  form: RemoteForm = 'chunks',
): Promise<readonly RawSeries[]> {
  const { startMs, endMs } = ledger.range;
  const range = `${Math.ceil((endMs - startMs) / 1000)}s`;
  const selector = `${FLOATS}{group=${JSON.stringify(group)}}[${range}]`;
  const floats = await readRawSamples(api, selector, endMs / 1000);
  const matchers = [
    ['=', '__name__', HISTOGRAMS],
    ['=', 'group', group],
  ] as const;
  const histograms = await readRemote(api, { matchers, mint: startMs, maxt: endMs }, form);
  return [...floats, ...histograms];
}

/** Checks every sample in a server. What is in doubt is decided by it. */
export async function verifyLedger(
  api: string,
  ledger: CrashLedger,
  groups: readonly string[],
  form: RemoteForm = 'chunks',
): Promise<Verified> {
  const series: RawSeries[] = [];
  const problems: string[] = [];
  const sums = noSums();
  for (const group of groups) {
    const answer = await readGroup(api, ledger, group, form);
    for (const one of answer) series.push(one);
    const { problems: found, ...more } = ledger.check(group, answer);
    addSums(sums, more);
    problems.push(...found);
  }
  return { ...sums, problems, series };
}
