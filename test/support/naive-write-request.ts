/** A slow, obvious reader of remote write 1.0 bodies, to judge the fast ones by. */

/** What a body holds. */
export interface NaiveRequest {
  readonly series: number;
  readonly samples: number;
  readonly exemplars: number;
  readonly histograms: number;
  /** `{name="value", …}` of each series, each once, sorted. */
  readonly labelSets: readonly string[];
}

type Field = readonly [number: number, content: Buffer];

/** Splits a message into its fields; content of varints and fixed numbers is left empty. */
function fields(message: Buffer): Field[] {
  const out: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  while (at < message.length) {
    const tag = varint();
    const type = tag & 7;
    let content: Buffer = Buffer.alloc(0);
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else if (type === 2) {
      const size = varint();
      content = message.subarray(at, at + size);
      at += size;
    } else throw new Error(`wire type ${type}`);
    out.push([tag >>> 3, content]);
  }
  return out;
}

/** Reads a decompressed body. */
export function readNaively(body: Buffer): NaiveRequest {
  const only = (list: readonly Field[], number: number): Buffer[] =>
    list.filter(([n]) => n === number).map(([, content]) => content);
  const series = only(fields(body), 1).map(fields);
  const count = (number: number): number =>
    series.reduce((sum, one) => sum + only(one, number).length, 0);
  const labelSets = series.map((one) => {
    const labels = only(one, 1).map((label) => {
      const parts = fields(label);
      return `${only(parts, 1).join('')}=${JSON.stringify(only(parts, 2).join(''))}`;
    });
    return `{${labels.join(', ')}}`;
  });
  return {
    series: series.length,
    samples: count(2),
    exemplars: count(3),
    histograms: count(4),
    labelSets: [...new Set(labelSets)].toSorted((a, b) => (a < b ? -1 : 1)),
  };
}
