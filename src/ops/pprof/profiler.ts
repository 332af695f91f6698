/**
 * CPU and heap profiles of the process, all threads together. What V8's profilers see is JavaScript and WebAssembly by
 * function; native code is `(program)`. The heap is that of JavaScript: buffers and shared memory lie outside.
 */
import type { HeapProfiler, Profiler as V8Profiler } from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../../lib/errors.ts';
import { type ProfileClock, cpuSamples } from './cpu-profile.ts';
import { encodeProfile } from './encode-profile.ts';
import { heapSamples } from './heap-profile.ts';
import { ThreadInspector } from './thread-inspector.ts';

/** How often the CPU profiler looks. perf: at 1 ms, a busy thread loses less than it varies by. */
const CPU_INTERVAL_US = 1000;

/** How many bytes of allocations there are to a sample, as in Go. */
const HEAP_INTERVAL_BYTES = 512 * 1024;

/** Which objects a heap profile counts: those that are still there, or all that were made. */
export type HeapScope = 'inuse' | 'alloc';

/** How a heap profile is taken. */
export interface HeapOptions {
  readonly scope: HeapScope;
  /** How long allocations are watched. */
  readonly durationMs: number;
  /** Collect garbage first. */
  readonly collect: boolean;
  readonly signal: AbortSignal;
}

/** One at a time of either kind. */
export class Profiler {
  #cpuInUse = false;
  #heapInUse = false;
  /** Watches allocations from the start of the process on. */
  #always: ThreadInspector | undefined;

  /** Watches allocations from now on, so that heap profiles tell about all of them; costs a little all the time. */
  async watchHeap(): Promise<void> {
    const start = (inspector: ThreadInspector): Promise<unknown> =>
      startSampling(inspector, 'inuse');
    this.#always = await ThreadInspector.open((inspector) => void start(inspector));
    await start(this.#always);
  }

  /** Ends {@link watchHeap}. */
  close(): void {
    this.#always?.[Symbol.dispose]();
    this.#always = undefined;
  }

  /**
   * Where the time of the next `durationMs` goes; ends early when the signal fires.
   * @throws CodedError conflict when another one is being taken.
   */
  async cpu(clock: ProfileClock, durationMs: number, signal: AbortSignal): Promise<Buffer> {
    if (this.#cpuInUse) throw new CodedError('conflict', 'cpu profiling already in use');
    this.#cpuInUse = true;
    try {
      using inspector = await ThreadInspector.open();
      const startMs = Date.now();
      await inspector.post('Profiler.enable');
      await inspector.post('Profiler.setSamplingInterval', { interval: CPU_INTERVAL_US });
      await inspector.post('Profiler.start');
      await wait(durationMs, signal);
      const answers = await inspector.post('Profiler.stop');
      await inspector.post('Profiler.disable');
      const samples = answers.flatMap(({ thread, result }) =>
        cpuSamples((result as { profile: V8Profiler.Profile }).profile, thread, clock),
      );
      const type = { type: clock === 'cpu' ? 'cpu' : 'time', unit: 'nanoseconds' };
      return await encodeProfile({
        types: [{ type: 'samples', unit: 'count' }, type],
        samples,
        startMs,
        durationMs: Date.now() - startMs,
        period: { ...type, value: CPU_INTERVAL_US * 1000 },
        comments: inspector.problems,
      });
    } finally {
      this.#cpuInUse = false;
    }
  }

  /**
   * Who allocated: since the start where {@link watchHeap} was called and objects in use are asked for, otherwise in
   * the next `durationMs`.
   * @throws CodedError conflict when another one is being taken.
   */
  async heap(options: HeapOptions): Promise<Buffer> {
    const { scope, durationMs, collect, signal } = options;
    if (this.#always !== undefined && scope === 'inuse') {
      return encodeHeap(this.#always, scope, performance.now(), collect);
    }
    if (this.#heapInUse || this.#always !== undefined) {
      throw new CodedError('conflict', 'heap profiling already in use');
    }
    this.#heapInUse = true;
    try {
      using inspector = await ThreadInspector.open();
      await startSampling(inspector, scope);
      await wait(durationMs, signal);
      const bytes = await encodeHeap(inspector, scope, durationMs, collect);
      await inspector.post('HeapProfiler.stopSampling');
      return bytes;
    } finally {
      this.#heapInUse = false;
    }
  }
}

function startSampling(inspector: ThreadInspector, scope: HeapScope): Promise<unknown> {
  const collected = scope === 'alloc';
  return inspector.post('HeapProfiler.startSampling', {
    samplingInterval: HEAP_INTERVAL_BYTES,
    includeObjectsCollectedByMajorGC: collected,
    includeObjectsCollectedByMinorGC: collected,
  });
}

async function encodeHeap(
  inspector: ThreadInspector,
  scope: HeapScope,
  durationMs: number,
  collect: boolean,
): Promise<Buffer> {
  if (collect) await inspector.post('HeapProfiler.collectGarbage');
  const answers = await inspector.post('HeapProfiler.getSamplingProfile');
  return encodeProfile({
    types: [{ type: `${scope}_space`, unit: 'bytes' }],
    samples: answers.flatMap(({ thread, result }) =>
      heapSamples((result as { profile: HeapProfiler.SamplingHeapProfile }).profile, thread),
    ),
    startMs: Date.now() - durationMs,
    durationMs,
    period: { type: 'space', unit: 'bytes', value: HEAP_INTERVAL_BYTES },
    comments: inspector.problems,
  });
}

/** Resolves after the time, or when nobody wants to know any more. */
async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // The profile of a shorter time.
  }
}
