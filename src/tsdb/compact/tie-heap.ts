/**
 * A binary heap that decides between equals as Go's container/heap does: an item moves only past those that it is really
 * less than, and of two equal children the left one goes up. Prometheus' merges are made of such heaps, and which of two
 * samples of one time is kept depends on nothing else.
 */
export class TieHeap<T> {
  readonly #items: T[] = [];
  readonly #isLess: (a: T, b: T) => boolean;

  constructor(isLess: (a: T, b: T) => boolean) {
    this.#isLess = isLess;
  }

  /** How many items there are. */
  get size(): number {
    return this.#items.length;
  }

  /** The least item; undefined when there is none. */
  get top(): T | undefined {
    return this.#items[0];
  }

  /** Forgets all items. */
  clear(): void {
    this.#items.length = 0;
  }

  /** Adds an item, which must not change its place in the order before it is taken out. */
  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = items[parent] as T;
      if (!this.#isLess(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** Takes the least item out; undefined when there is none. */
  pop(): T | undefined {
    const items = this.#items;
    const least = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.#sink(last);
    return least;
  }

  /** Puts an item to the root, whose place is free, and down from there. */
  #sink(item: T): void {
    const items = this.#items;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= items.length) break;
      const right = child + 1;
      if (right < items.length && this.#isLess(items[right] as T, items[child] as T)) child = right;
      const below = items[child] as T;
      if (!this.#isLess(below, item)) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
  }
}
