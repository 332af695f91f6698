/**
 * Operators of queries as JSON, in the shape of Thanos' querier, whose UI draws them (thanos pkg/api/query/v1.go): explained
 * ones have a name and children, analyzed ones also what they took. Members that would be 0 or empty are left out.
 */
import { formatGoDuration } from '../lib/go-duration.ts';
import type { ProfiledNode } from '../promql/exec/profile.ts';
import type { PlanTree } from '../promql/plan/print-plan.ts';

/** The answer of the explain endpoints. */
export function explainJson(tree: PlanTree): string {
  return ascii(JSON.stringify(explained(tree)));
}

/** The member `analysis` of an answer, in ASCII. */
export function analysisJson(profile: ProfiledNode): string {
  return ascii(JSON.stringify(analyzed(profile)));
}

function explained({ name, children }: PlanTree): object {
  return children.length === 0 ? { name } : { name, children: children.map(explained) };
}

function analyzed({ name, timeMs, children, ...counts }: ProfiledNode): object {
  const { samplesPeak: peakSamples, samplesTotal: totalSamples, series } = counts;
  return {
    name,
    executionTime: formatGoDuration(timeMs),
    ...(peakSamples === 0 ? {} : { peakSamples }),
    ...(totalSamples === 0 ? {} : { totalSamples }),
    ...(series === 0 ? {} : { series }),
    ...(children.length === 0 ? {} : { children: children.map(analyzed) }),
  };
}

/** JSON whose strings hold anything but ASCII escaped. */
function ascii(json: string): string {
  return json.replaceAll(
    /[\u0080-\uffff]/g,
    (c) => String.raw`\u` + c.charCodeAt(0).toString(16).padStart(4, '0'),
  );
}
