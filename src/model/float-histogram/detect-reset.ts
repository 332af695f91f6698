/** Whether a counter that is a native histogram began anew between two samples (prometheus float_histogram.go, DetectReset). */
import { RESET_HINT, equalBits } from '../histogram.ts';
import { beyondZero, coarser, commonBounds, onBounds, widerZero } from './bucket-layout.ts';
import { isCustom } from './float-histogram.ts';
import type { BucketSide, FloatHistogram } from './float-histogram.ts';

/**
 * Whether `current` cannot have grown out of `previous`: a count fell, or its layout became finer. Hints are believed when they
 * say so or deny it.
 */
export function detectReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  if (current.hint === RESET_HINT.reset) return true;
  if (current.hint === RESET_HINT.notReset) return false;
  if (current.count < previous.count) return true;
  if (isCustom(current)) {
    if (!isCustom(previous)) return true;
    if (!equalBits(current.customValues, previous.customValues))
      return fellOnBounds(current, previous);
  }
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold)
    return true;
  if (isCustom(previous) !== isCustom(current)) return true;
  const zero = widerZero(previous, current.zeroThreshold);
  if (zero.threshold !== current.zeroThreshold || current.zeroCount < zero.count) return true;
  return (['positive', 'negative'] as const).some((name) =>
    anyFell(outside(current, current[name], current), outside(previous, previous[name], current)),
  );
}

/** The buckets of a side in the layout of `current`, without those inside its zero bucket. */
function outside(of: FloatHistogram, side: BucketSide, current: FloatHistogram): BucketSide {
  if (isCustom(current)) return side;
  return beyondZero(
    coarser(side, of.schema, current.schema),
    current.schema,
    current.zeroThreshold,
  );
}

function fellOnBounds(current: FloatHistogram, previous: FloatHistogram): boolean {
  const bounds = commonBounds(current.customValues, previous.customValues);
  return anyFell(
    onBounds(current.positive, current.customValues, bounds),
    onBounds(previous.positive, previous.customValues, bounds),
    (count) => count > 0,
  );
}

/**
 * Whether any bucket has less than before, or is gone. compat: one that had less than nothing, after a negation, does not fall
 * to 0, but is missed when it is gone, unless bounds had to be reconciled.
 */
function anyFell(
  now: BucketSide,
  before: BucketSide,
  missed = (count: number): boolean => count !== 0,
): boolean {
  for (let i = 0, j = 0; j < before.index.length; j++) {
    const index = before.index[j] as number;
    const count = before.count[j] as number;
    while (i < now.index.length && (now.index[i] as number) < index) i++;
    const isThere = i < now.index.length && now.index[i] === index;
    if (isThere ? (now.count[i] as number) < count : missed(count)) return true;
  }
  return false;
}
