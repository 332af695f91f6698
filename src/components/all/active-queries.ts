/**
 * The file `queries.active`: which queries run at this moment, so that the next start can name those that a dying
 * process left behind. Behaviour and format: prometheus promql/query_logger.go.
 *
 *   "["  then for each place 1000 bytes:  {"query":"…","timestamp_sec":…}  zeros  ","    or zeros only
 *
 * Prometheus maps it into memory. Here each change is a write of its own, in the background: of the changes of one place
 * only the last one is written when they come faster than the disk takes them.
 */
import { mkdir, open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { errorText } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';

const FILE = 'queries.active';
const ENTRY_BYTES = 1000;
const COMMA = 0x2c;
const EMPTY = new Uint8Array(ENTRY_BYTES);

/** Keeps the file. Nothing here throws or waits: what cannot be written is logged, once. */
export class ActiveQueries {
  readonly #handle: FileHandle;
  readonly #places: Place[];
  readonly #free: number[];
  readonly #clock: Clock;
  readonly #log: Logger;
  #failed = false;

  /** Logs what the last run left, and makes the file anew; undefined, and a line in the log, when it cannot be made. */
  static async open(
    directory: string,
    places: number,
    { clock, log }: { readonly clock: Clock; readonly log: Logger },
  ): Promise<ActiveQueries | undefined> {
    const path = join(directory, FILE);
    try {
      await mkdir(directory, { recursive: true });
      const left = unfinishedQueries(await readFile(path).catch(() => EMPTY));
      // Prometheus' words, which people look for.
      if (left !== undefined) {
        log.info("These queries didn't finish in prometheus' last run:", { queries: left });
      }
      const handle = await open(path, 'w', 0o666);
      // At full size from the start, so that a full disk shows now.
      const content = new Uint8Array(1 + places * ENTRY_BYTES);
      content[0] = '['.charCodeAt(0);
      await handle.writeFile(content);
      await handle.sync();
      return new ActiveQueries(handle, places, clock, log);
    } catch (thrown) {
      log.error('active queries are not tracked', { file: path, err: errorText(thrown) });
      return undefined;
    }
  }

  private constructor(handle: FileHandle, places: number, clock: Clock, log: Logger) {
    this.#handle = handle;
    this.#clock = clock;
    this.#log = log;
    this.#places = Array.from({ length: places }, () => ({ next: undefined, writing: undefined }));
    this.#free = Array.from({ length: places }, (_, i) => places - 1 - i);
  }

  /** A query begins to run; the answer is for {@link remove}. At most as many run as there are places. */
  insert(query: string): number {
    const place = this.#free.pop();
    if (place === undefined) return -1;
    this.#set(place, activeEntry(query, Math.floor(this.#clock.now() / 1000)));
    return place;
  }

  /** A query has ended. */
  remove(place: number): void {
    if (place < 0) return;
    this.#set(place, EMPTY);
    this.#free.push(place);
  }

  /** Writes what waits, and closes the file. */
  async close(): Promise<void> {
    for (const { writing } of this.#places) await writing;
    await this.#handle.close();
  }

  #set(number: number, entry: Uint8Array): void {
    const place = this.#places[number];
    if (place === undefined) return;
    place.next = entry;
    place.writing ??= this.#write(place, 1 + number * ENTRY_BYTES);
  }

  async #write(place: Place, at: number): Promise<void> {
    for (;;) {
      const entry = place.next;
      place.next = undefined;
      if (entry === undefined) break;
      try {
        await this.#handle.write(entry, 0, entry.length, at);
      } catch (thrown) {
        if (!this.#failed)
          this.#log.error('active queries are not tracked', { err: errorText(thrown) });
        this.#failed = true;
      }
    }
    place.writing = undefined;
  }
}

/** Room for one query in the file. */
interface Place {
  /** What is to be written to it; undefined when it is up to date. */
  next: Uint8Array | undefined;
  writing: Promise<void> | undefined;
}

/** The list that the content of a file stands for; undefined when no query was left. */
export function unfinishedQueries(content: Uint8Array): string | undefined {
  const text = Buffer.from(content).toString('utf8').replaceAll('\0', '');
  // A list without its bracket: "[", or "[" and entries that end in commas.
  return text.length <= 1 ? undefined : `${text.slice(0, -1)}]`;
}

/** The bytes of one place. A query that is too long is cut. */
export function activeEntry(query: string, timestampSec: number): Uint8Array {
  const tail = `","timestamp_sec":${timestampSec}}`;
  const head = '{"query":"';
  // The last byte is the comma.
  let room = ENTRY_BYTES - 1 - head.length - tail.length;
  let text = '';
  for (const char of query) {
    const escaped = escapeJson(char);
    room -= Buffer.byteLength(escaped);
    if (room < 0) break;
    text += escaped;
  }
  const entry = new Uint8Array(ENTRY_BYTES);
  entry.set(Buffer.from(head + text + tail));
  entry[ENTRY_BYTES - 1] = COMMA;
  return entry;
}

/** A character in a JSON string, as Go's encoding/json writes it by default: also safe in HTML. */
function escapeJson(char: string): string {
  if ('<>&\u2028\u2029'.includes(char)) {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  }
  return JSON.stringify(char).slice(1, -1);
}
