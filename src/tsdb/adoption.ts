/**
 * Whose a data directory is. One that held data when it was opened for the first time is *adopted*: nothing is removed
 * from it before somebody asks for a retention (docs/adoption.md). One that was empty gets a mark and is ours.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, errorText } from '../lib/errors.ts';
import { isUlid } from '../model/ulid.ts';

/** The mark of a directory that was made here; Prometheus and Thanos do not look at it. */
const MARK = 'thanos-ts.json';
/** What a Prometheus or a Thanos leaves in a data directory, blocks apart. */
const DATA = ['wal', 'wbl', 'chunks_head', 'thanos.shipper.json'];

/** Whether a directory, which exists, holds data that was not made here. */
export function isAdopted(directory: string): boolean {
  if (existsSync(join(directory, MARK))) return false;
  return readdirSync(directory).some((name) => DATA.includes(name) || isUlid(name));
}

/** Marks a directory that is not adopted as made here. @throws CodedError unavailable when the disk refuses. */
export function markOurs(directory: string): void {
  const path = join(directory, MARK);
  if (existsSync(path)) return;
  try {
    writeFileSync(path, '{"version": 1}\n');
  } catch (thrown) {
    throw new CodedError('unavailable', `mark data directory: ${errorText(thrown)}`, {
      cause: thrown,
    });
  }
}
