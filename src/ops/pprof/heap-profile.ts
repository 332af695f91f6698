/** What V8's sampling heap profiler saw of a thread, as stacks with the bytes that they allocated. */
import type { HeapProfiler } from 'node:inspector';
import { frameOf } from './cpu-profile.ts';
import type { Frame, StackSample } from './encode-profile.ts';

/** One sample a stack: the bytes. */
export function heapSamples(
  profile: HeapProfiler.SamplingHeapProfile,
  thread: string,
): StackSample[] {
  const samples: StackSample[] = [];
  const walk = (node: HeapProfiler.SamplingHeapProfileNode, above: readonly Frame[]): void => {
    const frame = frameOf(node.callFrame);
    const stack = frame.name === '(root)' ? above : [frame, ...above];
    if (node.selfSize > 0 && stack.length > 0) {
      samples.push({ stack, values: [Math.round(node.selfSize)], thread });
    }
    for (const child of node.children) walk(child, stack);
  };
  walk(profile.head, []);
  return samples;
}
