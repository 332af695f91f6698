/** Text order in which digits count as numbers: "a2" before "a10". */
import { compareUtf8 } from '../../lib/utf8.ts';

const CHUNKS = /\d+|\D+/g;

/** Negative, 0 or positive. */
export function compareNatural(a: string, b: string): number {
  const x = a.match(CHUNKS) ?? [];
  const y = b.match(CHUNKS) ?? [];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const [p = '', q = ''] = [x[i], y[i]];
    if (p === q) continue;
    if (/^\d/.test(p) && /^\d/.test(q)) {
      const [m, n] = [p.replace(/^0+/, ''), q.replace(/^0+/, '')];
      // Longer numbers are greater; of equal numbers the one with fewer zeros comes first.
      if (m !== n) return m.length - n.length || compareUtf8(m, n);
      return p.length - q.length;
    }
    return compareUtf8(p, q);
  }
  return x.length - y.length;
}
