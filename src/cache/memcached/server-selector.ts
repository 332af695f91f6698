/**
 * Which memcached server has a key: a jump hash on XXH64 of the key over the servers in natural order, so that every
 * program of a fleet asks the same one. Behaviour: thanos pkg/cacheutil/memcached_server_selector.go, jump_hash.go
 * (Lamping and Veach, "A fast, minimal memory, consistent hash algorithm"); order: facette/natsort.
 */
import { compareUtf8 } from '../../lib/utf8.ts';
import type { Hash64, Hashes } from '../hashes.ts';

/** Picks by key. Immutable. */
export class ServerSelector {
  /** In natural order; one that is listed twice gets twice as much. */
  readonly servers: readonly string[];
  readonly #hashes: Hashes;

  constructor(servers: readonly string[], hashes: Hashes) {
    this.servers = servers.toSorted(compareNatural);
    this.#hashes = hashes;
  }

  /** The server of a key; undefined when there is none at all. */
  pick(key: string): string | undefined {
    const { servers } = this;
    if (servers.length < 2) return servers[0];
    return servers[jumpHash(this.#hashes.xxhash64(key), servers.length)];
  }

  /** Keys by their server. */
  group(keys: readonly string[]): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const key of keys) {
      const server = this.pick(key);
      if (server === undefined) continue;
      const group = groups.get(server);
      if (group === undefined) groups.set(server, [key]);
      else group.push(key);
    }
    return groups;
  }
}

/** The multiplier of the jump hash, 2862933555777941757, as halves. */
const MULTIPLIER: Hash64 = { hi: 0x27bb2ee6, lo: 0x87b0b0fd };
const TWO_31 = 2 ** 31;

/** 0 to `count` - 1. */
function jumpHash(key: Hash64, count: number): number {
  let state = key;
  let [at, next] = [0, 0];
  while (next < count) {
    at = next;
    state = nextState(state);
    // The upper 31 bits of the state.
    next = Math.floor((at + 1) * (TWO_31 / ((state.hi >>> 1) + 1)));
  }
  return at;
}

/** state * MULTIPLIER + 1, modulo 2^64. */
function nextState({ hi, lo }: Hash64): Hash64 {
  // The low halves in parts of 16 bits, so that no product is above 2^53.
  const [low, high] = [lo & 0xffff, lo >>> 16];
  const middle = high * (MULTIPLIER.lo & 0xffff) + low * (MULTIPLIER.lo >>> 16);
  const first = low * (MULTIPLIER.lo & 0xffff) + (middle % 0x10000) * 0x10000 + 1;
  const carry =
    high * (MULTIPLIER.lo >>> 16) + Math.floor(middle / 0x10000) + Math.floor(first / 2 ** 32);
  const crossed = Math.imul(lo, MULTIPLIER.hi) + Math.imul(hi, MULTIPLIER.lo);
  return { hi: (carry + crossed) >>> 0, lo: first >>> 0 };
}

/**
 * The order of facette/natsort: runs of digits by their value, others by their bytes; a text before those that it
 * begins. 0 only for equal texts.
 */
export function compareNatural(a: string, b: string): number {
  const [as, bs] = [chunks(a), chunks(b)];
  for (let i = 0; i < Math.min(as.length, bs.length); i++) {
    const [x = '', y = ''] = [as[i], bs[i]];
    const [xn, yn] = [digits(x), digits(y)];
    if (xn !== undefined && yn !== undefined) {
      if (xn !== yn) return xn < yn ? -1 : 1;
    } else if (x !== y) return compareUtf8(x, y);
  }
  return as.length - bs.length || compareUtf8(a, b);
}

function chunks(text: string): readonly string[] {
  return text.match(/\d+|\D+/g) ?? [];
}

/** The value of digits that Go's int holds. */
function digits(text: string): bigint | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < 2n ** 63n ? value : undefined;
}
