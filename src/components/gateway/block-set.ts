/**
 * The blocks of one set of external labels, by resolution, and which of them answer a range of times. Behaviour: thanos
 * pkg/store/bucket.go (bucketBlockSet).
 */
import { must } from '../../lib/assert.ts';
import { CodedError } from '../../lib/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { LoadedBlock } from './loaded-block.ts';

/** ms between samples, the coarsest first. */
const RESOLUTIONS: readonly number[] = [3_600_000, 300_000, 0];

/** Blocks that differ in time and resolution only. */
export class BlockSet {
  readonly labels: Labels;
  /** By resolution, in the order of {@link RESOLUTIONS}; each list by mint, then maxt. */
  readonly #blocks: LoadedBlock[][] = RESOLUTIONS.map(() => []);

  constructor(labels: Labels) {
    this.labels = labels;
  }

  get isEmpty(): boolean {
    return this.#blocks.every((list) => list.length === 0);
  }

  /** @throws CodedError corrupt for a resolution that nobody makes. */
  add(block: LoadedBlock): void {
    const list = this.#blocks[RESOLUTIONS.indexOf(block.resolution)];
    if (list === undefined) {
      throw new CodedError('corrupt', `unsupported downsampling resolution ${block.resolution}`);
    }
    list.push(block);
    list.sort((a, b) => a.meta.minTime - b.meta.minTime || a.meta.maxTime - b.meta.maxTime);
  }

  remove(block: LoadedBlock): void {
    for (const list of this.#blocks) {
      const at = list.indexOf(block);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /**
   * The blocks that have data of mint..maxt, both inclusive: the coarsest ones up to a resolution, and finer ones where those leave
   * gaps. Those that `isWanted` refuses fill no gap, and are left out.
   */
  blocksFor(
    { mint, maxt }: { readonly mint: number; readonly maxt: number },
    maxResolution: number,
    isWanted: (block: LoadedBlock) => boolean,
  ): LoadedBlock[] {
    const finest = RESOLUTIONS.length - 1;
    const first = RESOLUTIONS.findIndex((resolution) => resolution <= maxResolution);
    return this.#fill(mint, maxt, first < 0 ? finest : first, isWanted);
  }

  #fill(
    mint: number,
    maxt: number,
    level: number,
    isWanted: (block: LoadedBlock) => boolean,
  ): LoadedBlock[] {
    if (mint > maxt || level >= RESOLUTIONS.length) return [];
    const found: LoadedBlock[] = [];
    let start = mint;
    for (const block of must(this.#blocks[level], 'a list for each resolution')) {
      const { minTime, maxTime } = block.meta;
      if (maxTime <= mint) continue;
      if (minTime > maxt) break;
      found.push(...this.#fill(start, minTime - 1, level + 1, isWanted));
      if (isWanted(block)) found.push(block);
      start = maxTime;
    }
    found.push(...this.#fill(start, maxt, level + 1, isWanted));
    return found;
  }

  /** The matchers without those on external labels; undefined when one of those does not match. */
  seriesMatchers(matchers: readonly Matcher[]): Matcher[] | undefined {
    return withoutExternal(matchers, this.labels);
  }
}

/** The matchers without those on labels that a block has; undefined when one of those does not match. */
export function withoutExternal(
  matchers: readonly Matcher[],
  external: Labels,
): Matcher[] | undefined {
  const left: Matcher[] = [];
  for (const matcher of matchers) {
    const value = external.get(matcher.name);
    if (value === '') left.push(matcher);
    else if (!matcher.matches(value)) return undefined;
  }
  return left;
}
