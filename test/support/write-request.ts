/** Remote write 1.0 requests for tests, written from the field table: timeseries 1 {labels 1 {name 1, value 2}, samples 2 {value 1, timestamp 2}}. */

/** A series of a request. Values that must keep their bits are given as [high, low] halves. */
export interface TestSeries {
  /** Values that are not UTF-8 are given as bytes. */
  readonly labels: readonly (readonly [string, string | Uint8Array])[];
  readonly samples: readonly (readonly [number, number | readonly [number, number]])[];
}

/** Encodes a request, not compressed. `splitLabels` puts the last label behind the samples. */
export function encodeWriteRequest(
  series: readonly TestSeries[],
  options: { splitLabels?: boolean } = {},
): Buffer {
  return Buffer.concat(
    series.map(({ labels, samples }) => {
      const labelFields = labels.map(([name, value]) =>
        field(1, Buffer.concat([field(1, name), field(2, value)])),
      );
      const sampleFields = samples.map(([t, v]) => field(2, sample(t, v)));
      const fields =
        options.splitLabels === true
          ? [...labelFields.slice(0, -1), ...sampleFields, ...labelFields.slice(-1)]
          : [...labelFields, ...sampleFields];
      return field(1, Buffer.concat(fields));
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

function varint(value: bigint): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return Buffer.from(out);
}
