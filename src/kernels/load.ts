/**
 * Loads the WebAssembly kernels that `npm run build:kernels` makes from the AssemblyScript sources beside this file.
 *
 * A kernel that is missing or does not compile is no error: its user falls back to the TypeScript twin, and
 * `thanos_kernel_info{kernel,impl}` shows which of the two runs.
 */
import { readFileSync } from 'node:fs';

/** Exports of the XOR decoder; addresses are bytes in its memory. */
export interface XorDecodeKernel {
  /** See xor-decode.as.ts: samples written, or -1 when the bytes end early. */
  decode(
    src: number,
    length: number,
    count: number,
    outT: number,
    outV: number,
    dropStale: number,
  ): number;
  /** The chunks of frames of a segment file: samples written, -1 for what is no such thing, or -2 less the room it needs. */
  decodeFrames(
    at: number,
    end: number,
    frames: number,
    lastAt: number,
    room: number,
    outT: number,
    outV: number,
    dropStale: number,
  ): number;
}

/**
 * Exports of the ingest kernel; `h` is the address of the arena header, other addresses lie in the same memory. Answers
 * are i32: an address beyond 2 GiB comes back negative and needs `>>> 0`.
 */
export interface IngestKernel {
  hash(h: number, p: number, length: number): void;
  lookup(h: number, key: number, length: number): number;
  insert(h: number, tagged: number): void;
  rehash(h: number, table: number, capacity: number): void;
  stageSampleAt(h: number, series: number, at: number): void;
  stage(h: number, from: number, length: number): number;
  freeBuffer(h: number, at: number, sizeClass: number): void;
  addMeta(h: number, series: number): number;
  apply(h: number): number;
  cutOpen(h: number, series: number): number;
  mapRef(h: number, ref: number, series: number): void;
  replay(h: number, from: number, length: number): number;
  replaySeries(h: number, from: number, length: number): number;
}

/** Exports of the kernel of windows, see windows.as.ts; addresses are bytes in its memory. */
export interface WindowsKernel {
  bound(
    t: number,
    n: number,
    steps: number,
    refStart: number,
    refStep: number,
    rangeMs: number,
    lo: number,
    hi: number,
  ): number;
  /** How many steps have a value, or -1 when there is no room for all resets. */
  extrapolate(
    t: number,
    v: number,
    n: number,
    steps: number,
    refStart: number,
    refStep: number,
    rangeMs: number,
    perSecond: number,
    isCounter: number,
    lo: number,
    hi: number,
    resets: number,
    resetsMax: number,
    out: number,
    present: number,
  ): number;
  /** How many steps have a value. */
  last(
    t: number,
    v: number,
    n: number,
    steps: number,
    refStart: number,
    refStep: number,
    lookback: number,
    out: number,
    present: number,
  ): number;
  addSum(a: number, b: number, n: number, values: number, present: number, steps: number): void;
  finishSums(a: number, b: number, n: number, cells: number, present: number): void;
}

/** Exports of the kernel of samples as JSON, see json-samples.as.ts; addresses are bytes in its memory. */
export interface JsonSamplesKernel {
  samples(
    t: number,
    v: number,
    n: number,
    out: number,
    powers: number,
    pairs: number,
    steps: number,
    stepCount: number,
  ): number;
}

/** Exports of the kernel of a store's chunks, see store-chunks.as.ts; addresses are bytes in its memory. */
export interface StoreChunksKernel {
  /** How many chunks were written; `status` has two words that say why no more. */
  frame(
    src: number,
    srcEnd: number,
    offsets: number,
    n: number,
    mint: number,
    maxt: number,
    mask: number,
    out: number,
    outEnd: number,
    ends: number,
    found: number,
    tables: number,
    status: number,
    powers: number,
    powersMax: number,
  ): number;
  shard(from: number, length: number, count: number): number;
}

/** What the kernels export, by name. */
interface Kernels {
  readonly 'xor-decode': XorDecodeKernel;
  readonly ingest: IngestKernel;
  readonly windows: WindowsKernel;
  readonly 'json-samples': JsonSamplesKernel;
  readonly 'store-chunks': StoreChunksKernel;
}

/** The kernels by name, as `*.as.ts` files. */
export type KernelName = keyof Kernels;

const modules = new Map<KernelName, WebAssembly.Module | undefined>();

/** The compiled module of a kernel, or undefined when it cannot be had. Compiled once a thread. */
function kernelModule(name: KernelName): WebAssembly.Module | undefined {
  if (!modules.has(name)) modules.set(name, compile(name));
  return modules.get(name);
}

function compile(name: KernelName): WebAssembly.Module | undefined {
  if (process.env['THANOS_KERNELS'] === 'off') return undefined;
  try {
    return new WebAssembly.Module(readFileSync(new URL(`./wasm/${name}.wasm`, import.meta.url)));
  } catch {
    return undefined;
  }
}

/** Instantiates a kernel over a memory; undefined when only the twin is available. */
export function loadKernel<Name extends KernelName>(
  name: Name,
  memory: WebAssembly.Memory,
): Kernels[Name] | undefined {
  const module = kernelModule(name);
  if (module === undefined) return undefined;
  const abort = (): never => {
    throw new Error(`BUG: kernel ${name} aborted`);
  };
  const instance = new WebAssembly.Instance(module, { env: { memory, abort } });
  return instance.exports as unknown as Kernels[Name];
}

/** Which implementation of each kernel this process runs: the labels of thanos_kernel_info. */
export function kernelImplementations(): { kernel: KernelName; impl: 'wasm' | 'typescript' }[] {
  const names: KernelName[] = ['xor-decode', 'ingest', 'windows', 'json-samples', 'store-chunks'];
  return names.map((kernel) => ({
    kernel,
    impl: kernelModule(kernel) === undefined ? 'typescript' : 'wasm',
  }));
}
