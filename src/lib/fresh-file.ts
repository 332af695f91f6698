/** A file that is read again when it has changed, for configuration that may change under a running process. */
import type { BigIntStats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

/** limit: a file that changed this shortly before it was read may change once more within one tick of its times. */
const TICK_MS = 50;

/** What a file holds, and which reading it is from: the same number means the same text. */
export interface FileText {
  readonly text: string;
  readonly version: number;
}

/** One file. Each look costs a stat; links are followed, so a directory that is swapped by a link is noticed. */
export class FreshFile {
  readonly path: string;
  #stamp = '';
  #text = '';
  #version = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** What the file holds now. @throws the error of the file system, which names the file. */
  async read(): Promise<FileText> {
    const stats = await stat(this.path, { bigint: true });
    const stamp = stampOf(stats);
    if (stamp === this.#stamp) return { text: this.#text, version: this.#version };
    const readAt = Date.now();
    const text = await readFile(this.path, 'utf8');
    if (text !== this.#text || this.#version === 0) {
      this.#text = text;
      this.#version++;
    }
    this.#stamp = readAt - Number(stats.mtimeNs / 1_000_000n) < TICK_MS ? '' : stamp;
    return { text, version: this.#version };
  }
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
