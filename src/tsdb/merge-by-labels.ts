/** Which series of several sources are one: a merge by labels. */
import { compareLabels, equalLabels } from '../model/labels.ts';
import type { Labels } from '../model/labels.ts';
import type { ChunkSet } from './index/chunk-set.ts';

/**
 * Which series of which sources make one series: series i consists of the parts starts[i]..starts[i + 1], each a
 * source number and a series number in that source, in the order of the sources.
 */
export interface Parts {
  readonly starts: Uint32Array;
  readonly sources: Uint16Array;
  readonly numbers: Uint32Array;
}

/** limit: merges kept, and how many series of sources one of them may have: 6 bytes each. */
const MERGES_MAX = 16;
const SERIES_MAX = 200_000;

interface Merge {
  readonly sets: readonly object[];
  readonly parts: Parts;
}

/** Merges of sets that are known by their identity, the latest of them. */
export class MergeCache {
  readonly #merges: Merge[] = [];

  /** One series of each run of equal labels in the sets, which are sorted. */
  merge(sets: readonly ChunkSet[]): Parts {
    const identities = sets.flatMap(({ identity }) => identity ?? []);
    if (sets.length <= 1 || identities.length < sets.length) return mergeByLabels(sets);
    const at = this.#merges.findIndex(({ sets: others }) => sameObjects(others, identities));
    const known = at < 0 ? undefined : this.#merges.splice(at, 1)[0];
    const parts = known?.parts ?? mergeByLabels(sets);
    if (parts.numbers.length > SERIES_MAX) return parts;
    this.#merges.unshift({ sets: identities, parts });
    if (this.#merges.length > MERGES_MAX) this.#merges.pop();
    return parts;
  }
}

function sameObjects(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((object, i) => object === b[i]);
}

/** One series of each run of equal labels in the sets, which are sorted. */
export function mergeByLabels(sets: readonly ChunkSet[]): Parts {
  const [only] = sets;
  if (sets.length <= 1) return identityParts(only?.count ?? 0);
  let total = 0;
  for (const set of sets) total += set.count;
  const starts = new Uint32Array(total + 1);
  const sources = new Uint16Array(total);
  const numbers = new Uint32Array(total);
  const next = new Uint32Array(sets.length);
  const heads = sets.map((set) => (set.count > 0 ? set.labels(0) : undefined));
  let count = 0;
  let part = 0;
  const firsts = new Uint16Array(sets.length);
  while (part < total) {
    const size = findFirsts(heads, firsts);
    for (let k = 0; k < size; k++) {
      const s = firsts[k] as number;
      const set = sets[s] as ChunkSet;
      const number = next[s] as number;
      sources[part] = s;
      numbers[part++] = number;
      next[s] = number + 1;
      heads[s] = number + 1 < set.count ? set.labels(number + 1) : undefined;
    }
    starts[++count] = part;
  }
  return { starts: starts.subarray(0, count + 1), sources, numbers };
}

/**
 * Finds the sets whose next labels are first in label order and equal; answers how many.
 * perf: sets hold the same series mostly, so most labels are equal, down to their texts.
 */
function findFirsts(heads: readonly (Labels | undefined)[], firsts: Uint16Array): number {
  let least: Labels | undefined;
  let size = 0;
  for (let s = 0; s < heads.length; s++) {
    const labels = heads[s];
    if (labels === undefined) continue;
    if (least === undefined || !equalLabels(labels, least)) {
      if (least !== undefined && compareLabels(labels, least) > 0) continue;
      least = labels;
      size = 0;
    }
    firsts[size++] = s;
  }
  return size;
}

function identityParts(count: number): Parts {
  const starts = new Uint32Array(count + 1);
  const numbers = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    starts[i + 1] = i + 1;
    numbers[i] = i;
  }
  return { starts, sources: new Uint16Array(count), numbers };
}
