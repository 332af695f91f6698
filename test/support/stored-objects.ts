/** Objects in memory behind the servers of tests that stand in for stores: names, content, ETags, listings. */
import { createHash } from 'node:crypto';
import { compareUtf8 } from '../../src/lib/utf8.ts';

/** One object. */
export interface StoredObject {
  readonly bytes: Buffer;
  /** Without quotes. */
  readonly etag: string;
  /** ms since the epoch, whole seconds. */
  readonly lastModified: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** One page of a listing. */
export interface StoredPage {
  readonly entries: readonly (readonly [string, StoredObject | undefined])[];
  /** The last entry of the page when there are more. */
  readonly next: string | undefined;
}

/** A flat set of objects. */
export class StoredObjects {
  readonly #objects = new Map<string, StoredObject>();

  get(name: string): StoredObject | undefined {
    return this.#objects.get(name);
  }

  /** Takes the content over. */
  put(
    name: string,
    bytes: Buffer,
    more: { readonly etag?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ): StoredObject {
    const object = {
      bytes,
      etag: more.etag ?? createHash('md5').update(bytes).digest('hex'),
      lastModified: Math.floor(Date.now() / 1000) * 1000,
      headers: more.headers ?? {},
    };
    this.#objects.set(name, object);
    return object;
  }

  /** Every name, in the order of listings. */
  names(): string[] {
    return [...this.#objects.keys()].sort(compareUtf8);
  }

  delete(name: string): boolean {
    return this.#objects.delete(name);
  }

  /** Names and, with a delimiter, common prefixes behind `after`. */
  list(question: {
    readonly prefix: string;
    readonly delimiter: string;
    readonly after: string;
    readonly max: number;
  }): StoredPage {
    const { prefix, delimiter, after, max } = question;
    const found = new Map<string, StoredObject | undefined>();
    for (const [name, object] of this.#objects) {
      if (!name.startsWith(prefix)) continue;
      const end = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
      if (end >= 0) found.set(name.slice(0, end + delimiter.length), undefined);
      else found.set(name, object);
    }
    const sorted = [...found]
      .filter(([name]) => after === '' || compareUtf8(name, after) > 0)
      .toSorted(([a], [b]) => compareUtf8(a, b));
    const entries = sorted.slice(0, max);
    return { entries, next: sorted.length > max ? entries.at(-1)?.[0] : undefined };
  }
}
