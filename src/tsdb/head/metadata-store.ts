/**
 * Metadata of metric families, as senders told it: the newest word of each. Lives in the ingest worker and ends with the
 * process; senders repeat theirs every minute.
 */
import { decodeUtf8 } from '../../lib/utf8.ts';
import { METRIC_TYPES } from './exemplar-message.ts';
import type { MetadataMessage } from './exemplar-message.ts';

/** limit: families, some 200 bytes each. */
const FAMILIES_MAX = 200_000;
/** limit: characters of a help text that are kept. */
const HELP_CHARS_MAX = 4096;

/** What is known of a family. */
export interface FamilyMetadata {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** Families by name. */
export class MetadataStore {
  readonly #families = new Map<string, FamilyMetadata>();

  /** Takes a family's metadata in. */
  add({ type, family, help, unit }: MetadataMessage): void {
    const name = decodeUtf8(family);
    if (name === '') return;
    if (!this.#families.has(name) && this.#families.size >= FAMILIES_MAX) return;
    this.#families.set(name, {
      type: METRIC_TYPES[type] ?? 'unknown',
      help: decodeUtf8(help).slice(0, HELP_CHARS_MAX),
      unit: decodeUtf8(unit),
    });
  }

  /** All families, or the one of a name, in the order in which they came. */
  list(name?: string): [string, FamilyMetadata][] {
    if (name === undefined) return [...this.#families];
    const one = this.#families.get(name);
    return one === undefined ? [] : [[name, one]];
  }
}
