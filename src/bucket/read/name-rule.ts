/** Where external labels stand among the labels of a series, and which of these are not taken. */
import { compareBytes, compareUtf8, decodeUtf8 } from '../../lib/utf8.ts';
import type { Labels } from '../../model/labels.ts';

/** An external label in bytes. */
export interface ExternalLabel {
  readonly name: Buffer;
  readonly value: Buffer;
}

/** How a name of series is treated. */
export interface NameRule {
  readonly bytes: Buffer;
  /** External labels that come before it. */
  readonly before: number;
  /** Whether it is not taken from the series. */
  readonly dropped: boolean;
}

/** External labels in the order of their names. */
export function externalLabels(labels: Labels): ExternalLabel[] {
  return [...labels]
    .toSorted((a, b) => compareUtf8(a[0], b[0]))
    .map(([name, value]) => ({ name: Buffer.from(name), value: Buffer.from(value) }));
}

/** The rule for a name, whose bytes are the rule's from now on. */
export function nameRule(
  bytes: Buffer,
  external: readonly ExternalLabel[],
  without: ReadonlySet<string>,
): NameRule {
  const orders = external.map(({ name }) => compareBytes(name, bytes));
  return {
    bytes,
    before: orders.filter((order) => order <= 0).length,
    // An external label of the same name is written in its place.
    dropped: orders.includes(0) || without.has(decodeUtf8(bytes)),
  };
}
