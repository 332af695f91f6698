/** Remote write 1.0 requests for tests, written from the field table: timeseries 1 {labels 1 {name 1, value 2}, samples 2 {value 1, timestamp 2}, exemplars 3, histograms 4}. */

/** A series of a request. Values that must keep their bits are given as [high, low] halves. */
export interface TestSeries {
  /** Values that are not UTF-8 are given as bytes. */
  readonly labels: readonly (readonly [string, string | Uint8Array])[];
  readonly samples: readonly (readonly [number, number | readonly [number, number]])[];
  readonly histograms?: readonly TestHistogram[];
  readonly exemplars?: readonly TestExemplar[];
}

/** A native histogram without negative buckets; buckets are absolute counts. */
export interface TestHistogram {
  readonly t: number;
  readonly isFloat: boolean;
  readonly schema: number;
  /** NaN stands for the stale marker. */
  readonly sum: number;
  readonly zeroCount: number;
  /** Offset and length of each span, in turn. */
  readonly spans: readonly number[];
  readonly buckets: readonly number[];
  /** Upper bounds, for schema -53. */
  readonly customValues?: readonly number[];
  /** 3 for a gauge. */
  readonly hint?: number;
}

/** An exemplar. */
export interface TestExemplar {
  readonly labels: readonly (readonly [string, string])[];
  readonly t: number;
  readonly value: number;
}

/** Encodes a request, not compressed. `splitLabels` puts the last label behind the samples. */
export function encodeWriteRequest(
  series: readonly TestSeries[],
  options: { splitLabels?: boolean } = {},
): Buffer {
  return Buffer.concat(
    series.map(({ labels, samples, histograms = [], exemplars = [] }) => {
      const labelFields = labels.map(([name, value]) =>
        field(1, Buffer.concat([field(1, name), field(2, value)])),
      );
      const sampleFields = samples.map(([t, v]) => field(2, sample(t, v)));
      const more = [
        ...exemplars.map((one) => field(3, exemplar(one))),
        ...histograms.map((one) => field(4, histogram(one))),
      ];
      const fields =
        options.splitLabels === true
          ? [...labelFields.slice(0, -1), ...sampleFields, ...labelFields.slice(-1)]
          : [...labelFields, ...sampleFields];
      return field(1, Buffer.concat([...fields, ...more]));
    }),
  );
}

function field(number: number, content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(BigInt((number << 3) | 2)), varint(BigInt(bytes.length)), bytes]);
}

function sample(t: number, v: number | readonly [number, number]): Buffer {
  const value = Buffer.alloc(9);
  value[0] = 0x09;
  if (typeof v === 'number') value.writeDoubleLE(v, 1);
  else {
    value.writeUInt32LE(v[0], 5);
    value.writeUInt32LE(v[1], 1);
  }
  return Buffer.concat([value, Buffer.from([0x10]), varint(BigInt.asUintN(64, BigInt(t)))]);
}

function exemplar({ labels, t, value }: TestExemplar): Buffer {
  return Buffer.concat([
    ...labels.map(([name, text]) => field(1, Buffer.concat([field(1, name), field(2, text)]))),
    double(2, value),
    integer(3, t),
  ]);
}

/** Field 3 with the bits of a stale marker. */
const STALE_SUM = Buffer.from('19020000000000f07f', 'hex');

/** Field numbers of prometheus.Histogram. */
function histogram(one: TestHistogram): Buffer {
  const { isFloat, buckets, spans, customValues = [] } = one;
  const count = buckets.reduce((sum, bucket) => sum + bucket, one.zeroCount);
  const spanFields: Buffer[] = [];
  for (let i = 0; i < spans.length; i += 2) {
    const parts = [integer(1, zigzag(spans[i] ?? 0)), integer(2, spans[i + 1] ?? 0)];
    spanFields.push(field(11, Buffer.concat(parts)));
  }
  // Float counts may have fractions, which are no varints.
  const deltas = (): Buffer[] =>
    buckets.map((bucket, i) => varint(BigInt(zigzag(bucket - (buckets[i - 1] ?? 0)))));
  return Buffer.concat([
    isFloat ? double(2, count) : integer(1, count),
    Number.isNaN(one.sum) ? STALE_SUM : double(3, one.sum),
    integer(4, zigzag(one.schema)),
    double(5, one.schema === -53 ? 0 : 0.001),
    isFloat ? double(7, one.zeroCount) : integer(6, one.zeroCount),
    ...spanFields,
    isFloat ? field(13, doubles(buckets)) : field(12, Buffer.concat(deltas())),
    integer(14, one.hint ?? 0),
    integer(15, one.t),
    ...(customValues.length > 0 ? [field(16, doubles(customValues))] : []),
  ]);
}

function integer(tag: number, value: number): Buffer {
  return Buffer.concat([varint(BigInt(tag << 3)), varint(BigInt.asUintN(64, BigInt(value)))]);
}

function double(tag: number, value: number): Buffer {
  return Buffer.concat([varint(BigInt((tag << 3) | 1)), doubles([value])]);
}

function doubles(values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 8);
  for (const [i, value] of values.entries()) out.writeDoubleLE(value, i * 8);
  return out;
}

function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

function varint(value: bigint): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return Buffer.from(out);
}
