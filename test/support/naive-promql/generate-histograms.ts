/** Random series of native histograms. Counts are integers and sums multiples of 1/8, so that they add up exactly. */
import type { Random } from '../../../src/lib/prng.ts';
import { chance, pick } from './random-choice.ts';
import { CUSTOM_SCHEMA, type Hint, type NaiveHistogram } from './histogram.ts';

const BOUNDS: readonly (readonly number[])[] = [
  [1, 2, 4],
  [1, 3, 4],
  [-1, 0.5, 2],
];

interface Shape {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly bounds: readonly number[];
}

function newShape(random: Random, custom: boolean): Shape {
  if (custom) return { schema: CUSTOM_SCHEMA, zeroThreshold: 0, bounds: pick(random, BOUNDS) };
  return {
    schema: pick(random, [-1, 0, 0, 1, 2]),
    zeroThreshold: pick(random, [0, 0.125, 0.5, 0.5, 1]),
    bounds: [],
  };
}

function empty(shape: Shape, hint: Hint): NaiveHistogram {
  return {
    ...shape,
    hint,
    count: 0,
    sum: 0,
    zeroCount: 0,
    positive: new Map(),
    negative: new Map(),
  };
}

/** The histogram with some observations more. */
function observed(random: Random, h: NaiveHistogram): NaiveHistogram {
  const next = { ...h, positive: new Map(h.positive), negative: new Map(h.negative) };
  const custom = h.schema === CUSTOM_SCHEMA;
  for (let left = random.below(4); left > 0; left--) {
    const count = 1 + random.below(5);
    const roll = random.below(6);
    if (roll === 0 && !custom) next.zeroCount += count;
    else {
      const side = roll === 1 && !custom ? next.negative : next.positive;
      // Buckets of the zero bucket are empty.
      const index = custom ? random.below(h.bounds.length + 1) : 1 + random.below(5);
      side.set(index, (side.get(index) ?? 0) + count);
    }
    next.count += count;
    next.sum += (random.below(80) - 10) / 8;
  }
  return next;
}

/** A series of histograms: a counter that is reset now and then, or a gauge; sometimes of another shape. */
export function histogramValues(
  random: Random,
  kind: 'native' | 'native-gauge' | 'custom',
): () => NaiveHistogram {
  const custom = kind === 'custom';
  const hint: Hint = kind === 'native-gauge' ? 'gauge' : 'unknown';
  let shape = newShape(random, custom);
  let value = observed(random, empty(shape, hint));
  const changes = chance(random, 0.3) ? 0.05 : 0;
  const resets = chance(random, 0.4) ? 0.05 : 0;
  return () => {
    if (chance(random, changes)) {
      shape = newShape(random, custom);
      value = empty(shape, hint);
    } else if (kind === 'native-gauge' || chance(random, resets)) value = empty(shape, hint);
    value = observed(random, value);
    return value;
  };
}
