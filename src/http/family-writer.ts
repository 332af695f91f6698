/** What writes metric families in one of the formats of `/federate`. */
import type { FederatedSample } from './federate-select.ts';

/** What the samples of a family are. */
export type FamilyType = 'untyped' | 'histogram' | 'gaugehistogram';

/** Writes families: each begins with its name and type, its metrics follow. */
export interface FamilyWriter {
  family(name: string, type: FamilyType): void;
  /** A metric with its labels (name, value, …, without the metric's name). */
  metric(labels: readonly string[], sample: FederatedSample): void;
  finish(): Uint8Array<ArrayBuffer>[];
}
