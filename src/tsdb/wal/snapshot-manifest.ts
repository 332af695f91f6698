/**
 * Which files a snapshot of the head relies on, with their sizes: its own segments, and those of chunks_head/, which have what
 * was cut before. Where one of them is gone or shorter, the log must be read in place of the snapshot. Prometheus does not
 * look at the file, and has none.
 */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../../lib/errors.ts';
import type { FileLayer } from '../../lib/file-layer.ts';

const MANIFEST = 'files.json';
/** Segments have eight digits, files of head chunks six. */
const NAME = /^\d{6,}$/;

/** The two directories that a manifest is about. */
export interface SnapshotPlaces {
  /** Of the snapshot itself. */
  readonly snapshot: string;
  readonly chunks: string;
}

/** Writes the manifest of a snapshot whose files are durable. @throws the file layer's errors. */
export function writeManifest(files: FileLayer, places: SnapshotPlaces): void {
  const fd = files.open(join(places.snapshot, MANIFEST), true);
  try {
    files.write(fd, Buffer.from(describeFiles(places)), 0);
    files.fsync(fd);
  } finally {
    files.close(fd);
  }
  files.fsyncDirectory(places.snapshot);
}

/** What a snapshot relies on and is not there as it was, as a sentence; '' when all is, or it has no manifest. */
export function checkManifest(places: SnapshotPlaces): string {
  const path = join(places.snapshot, MANIFEST);
  if (!existsSync(path)) return '';
  try {
    const { snapshot, chunks_head } = JSON.parse(readFileSync(path, 'utf8')) as Sizes;
    return missing(snapshot, places.snapshot) || missing(chunks_head, places.chunks);
  } catch (thrown) {
    return `${path} cannot be read: ${errorText(thrown)}`;
  }
}

/** Files by name, with their bytes. */
interface Sizes {
  readonly snapshot: Readonly<Record<string, number>>;
  readonly chunks_head: Readonly<Record<string, number>>;
}

/** Those that came later do not matter. */
function missing(listed: Readonly<Record<string, number>>, directory: string): string {
  const there = sizesIn(directory);
  for (const [name, bytes] of Object.entries(listed)) {
    const got = there[name] ?? 'no';
    if (got !== bytes) return `${join(directory, name)} has ${got} bytes, not ${bytes}`;
  }
  return '';
}

function describeFiles({ snapshot, chunks }: SnapshotPlaces): string {
  const sizes: Sizes = { snapshot: sizesIn(snapshot), chunks_head: sizesIn(chunks) };
  return `${JSON.stringify(sizes)}\n`;
}

function sizesIn(directory: string): Record<string, number> {
  if (!existsSync(directory)) return {};
  const names = readdirSync(directory).filter((name) => NAME.test(name));
  return Object.fromEntries(names.map((name) => [name, statSync(join(directory, name)).size]));
}
