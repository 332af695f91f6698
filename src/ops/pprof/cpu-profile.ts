/** What V8's CPU profiler saw of a thread, as stacks with their times. */
import type { Profiler } from 'node:inspector';
import type { Frame, StackSample } from './encode-profile.ts';

/** V8's names for what is no JavaScript. */
const IDLE = '(idle)';
const ROOT = '(root)';

/** Which time counts: of work, or all of it, waiting included. */
export type ProfileClock = 'cpu' | 'wall';

/** One sample a stack: how often it was seen, and for how many nanoseconds. */
export function cpuSamples(
  profile: Profiler.Profile,
  thread: string,
  clock: ProfileClock,
): StackSample[] {
  const { nodes, samples = [], timeDeltas = [], startTime, endTime } = profile;
  const parents = new Map<number, number>();
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id);
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, frameOf(callFrame)]));
  const totals = new Map<number, { count: number; us: number }>();
  const taken = timeDeltas.reduce((sum, delta) => sum + delta, startTime);
  for (const [i, node] of samples.entries()) {
    // The time until the next sample is that of this one.
    const us = Math.max(0, timeDeltas[i + 1] ?? endTime - taken);
    const total = totals.get(node) ?? { count: 0, us: 0 };
    totals.set(node, { count: total.count + 1, us: total.us + us });
  }
  return [...totals].flatMap(([node, { count, us }]) => {
    const stack: Frame[] = [];
    for (let at: number | undefined = node; at !== undefined; at = parents.get(at)) {
      const frame = frames.get(at);
      if (frame !== undefined && frame.name !== ROOT) stack.push(frame);
    }
    const skipped = stack.length === 0 || (clock === 'cpu' && stack[0]?.name === IDLE);
    return skipped ? [] : [{ stack, values: [count, us * 1000], thread }];
  });
}

/** The place of a call frame; lines from 1. */
export function frameOf(callFrame: {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}): Frame {
  const { functionName, url, lineNumber } = callFrame;
  return {
    name: functionName === '' ? '(anonymous)' : functionName,
    file: url.replace(/^file:\/\//, ''),
    line: Math.max(0, lineNumber + 1),
  };
}
