/** A file that lines are added to, one after the other, without anybody waiting for the disk. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { CodedError, errorText } from '../lib/errors.ts';

/** limit: characters that wait for a slow disk; lines beyond them are dropped and reported. */
const WAITING_MAX = 16 << 20;

/** A growing file of lines. */
export class LineFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #onFailure: (reason: string, lines: number) => void;
  #waiting: string[] = [];
  #size = 0;
  #writing: Promise<void> | undefined;
  #closed = false;

  /**
   * Opens a file for appending, and makes it if need be. `onFailure` hears why how many lines are not in it.
   * @throws CodedError unavailable
   */
  static async open(
    path: string,
    onFailure: (reason: string, lines: number) => void,
  ): Promise<LineFile> {
    try {
      return new LineFile(path, await open(path, 'a', 0o666), onFailure);
    } catch (thrown) {
      const message = `open ${path}: ${errorText(thrown)}`;
      throw new CodedError('unavailable', message, { cause: thrown });
    }
  }

  private constructor(
    path: string,
    handle: FileHandle,
    onFailure: (reason: string, lines: number) => void,
  ) {
    this.path = path;
    this.#handle = handle;
    this.#onFailure = onFailure;
  }

  /** Adds a line, without its newline. */
  add(line: string): void {
    if (this.#closed) {
      this.#onFailure(`${this.path} is closed`, 1);
      return;
    }
    // A single line may be longer than the limit.
    if (this.#size > 0 && this.#size + line.length > WAITING_MAX) {
      this.#onFailure(`${this.#size} characters wait to be written to ${this.path}`, 1);
      return;
    }
    this.#waiting.push(line);
    this.#size += line.length;
    this.#writing ??= this.#write();
  }

  /** Writes what waits, and closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing;
    await this.#handle.close();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#size = 0;
      try {
        await this.#handle.appendFile(`${lines.join('\n')}\n`);
      } catch (thrown) {
        this.#onFailure(errorText(thrown), lines.length);
      }
    }
    this.#writing = undefined;
  }
}
