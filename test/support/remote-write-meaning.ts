/** What remote write requests mean, read the plain way: to compare a 2.0 request with its translation to 1.0. */
import assert from 'node:assert/strict';
import { contentsOf as all, fieldsOf as fields, lastOf as last } from './protobuf.ts';
import type { Field } from './protobuf.ts';

/** Refs, packed or not. */
function refs(message: readonly Field[]): number[] {
  return message
    .filter(([n]) => n === 1)
    .flatMap(([, content]) => {
      if (typeof content === 'bigint') return [Number(content)];
      const varints = Buffer.concat(
        [...content].flatMap((byte, i) => {
          const starts = i === 0 || (content[i - 1] as number) < 128;
          return [starts ? Buffer.of(8, byte) : Buffer.of(byte)];
        }),
      );
      return fields(varints).map(([, ref]) => Number(ref));
    });
}

/** What a request means, in words. */
export interface Meaning {
  readonly series: readonly {
    readonly labels: readonly string[];
    readonly samples: readonly (readonly [string, bigint])[];
    readonly exemplars: readonly unknown[];
    readonly histograms: readonly string[];
  }[];
  readonly metadata: readonly string[];
}

const EIGHT_ZEROS = Buffer.alloc(8);
/** Eight bytes in hexadecimal; absent ones are zeros. */
export const hexOf = (value: bigint | Buffer | undefined) =>
  ((value ?? EIGHT_ZEROS) as Buffer).toString('hex');
const numbers = (message: readonly Field[], value: number, time: number) =>
  [hexOf(last(message, value)), (last(message, time) ?? 0n) as bigint] as const;

/** The meaning of a 1.0 request. */
export function meaningOfV1(body: Uint8Array): Meaning {
  const label = (bytes: Buffer): string[] => {
    const pair = fields(bytes);
    return [String(last(pair, 1) ?? ''), String(last(pair, 2) ?? '')];
  };
  const request = fields(body);
  const series = all(request, 1).map((bytes) => {
    const one = fields(bytes);
    return {
      labels: all(one, 1).flatMap(label),
      samples: all(one, 2).map((sample) => numbers(fields(sample), 1, 2)),
      exemplars: all(one, 3).map((bytes3) => {
        const exemplar = fields(bytes3);
        return [all(exemplar, 1).flatMap(label), numbers(exemplar, 2, 3)];
      }),
      histograms: all(one, 4).map((histogram) => histogram.toString('hex')),
    };
  });
  const metadata = all(request, 3).map((bytes) => {
    const one = fields(bytes);
    return [last(one, 1) ?? 0n, ...[2, 4, 5].map((n) => String(last(one, n) ?? ''))].join('|');
  });
  return { series, metadata };
}

/** The meaning of a 2.0 request without metadata in which nothing is refused. */
export function meaningOfV2(body: Uint8Array): Meaning {
  const request = fields(body);
  const symbols = all(request, 4).map(String);
  const texts = (message: readonly Field[]) => refs(message).map((ref) => symbols[ref] as string);
  const series = all(request, 5).map((bytes) => {
    const one = fields(bytes);
    assert.deepEqual(all(one, 5).join(''), '');
    return {
      labels: texts(one),
      samples: all(one, 2).map((sample) => numbers(fields(sample), 1, 2)),
      exemplars: all(one, 4).map((bytes4) => {
        const exemplar = fields(bytes4);
        return [texts(exemplar), numbers(exemplar, 2, 3)];
      }),
      histograms: all(one, 3).map((histogram) => histogram.toString('hex')),
    };
  });
  return { series, metadata: [] };
}
