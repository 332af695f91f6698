/** Recorded values of the Go programs that lie in JSON files below test/golden. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The content of a file, whose shape the caller knows from its PROVENANCE.md. */
export function goldenJson(path: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../golden', path), 'utf8'));
}
