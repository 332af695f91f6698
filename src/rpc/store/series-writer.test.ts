import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import type { Series } from '../../gen/store-types_pb.ts';
import { SeriesResponseSchema } from '../../gen/store_pb.ts';
import { field } from '../../../test/support/protobuf.ts';
import { SeriesWriter } from './series-writer.ts';

/** The parts of a Series with one label, and chunks of so many bytes. */
function series(name: string, ...chunks: number[]): Uint8Array[] {
  const label = field(1, field(1, 'name'), field(2, name));
  // AggrChunk {3 raw {2 data}}
  return [label, ...chunks.map((size) => field(2, field(3, field(2, Buffer.alloc(size, 7)))))];
}

const sizeOf = (parts: readonly Uint8Array[]): number =>
  parts.reduce((sum, { length }) => sum + length, 0);

/** A message as its generated codec reads it. */
function plain(bytes: Uint8Array): unknown {
  const { result } = fromBinary(SeriesResponseSchema, bytes);
  const one = ({ labels, chunks }: Series) => [
    labels[0]?.value,
    ...chunks.map(({ raw }) => raw?.data.length),
  ];
  if (result.case === 'series') return one(result.value);
  if (result.case === 'batch') return { batch: result.value.series.map(one) };
  if (result.case === 'hints') return { hints: result.value.typeUrl };
  return result.value;
}

class Sink {
  readonly messages: Buffer[] = [];
  readonly write = (parts: readonly Uint8Array[]): Promise<void> => {
    this.messages.push(Buffer.concat(parts));
    return Promise.resolve();
  };

  get plain(): unknown[] {
    return this.messages.map(plain);
  }
}

test('messages one by one, and in batches', async (t) => {
  const f = (batchSize: number, want: unknown[]): Promise<void> =>
    t.test(`${batchSize} a message`, async () => {
      const sink = new Sink();
      const writer = new SeriesWriter(sink.write, batchSize);
      for (const [i, sizes] of [[1], [], [200, 3], [20_000], [5]].entries()) {
        const parts = series(`s${i}`, ...sizes);
        await writer.series(parts, sizeOf(parts));
      }
      await writer.warning('ünï');
      await writer.hints(field(1, 'type.googleapis.com/some.Hints'));
      await writer.flush();
      deepEqual(sink.plain, want);
    });
  const rest = ['ünï', { hints: 'type.googleapis.com/some.Hints' }];
  const all = [['s0', 1], ['s1'], ['s2', 200, 3], ['s3', 20_000], ['s4', 5]];
  await f(0, [...all, ...rest]);
  await f(1, [...all, ...rest]);
  await f(2, [
    { batch: all.slice(0, 2) },
    { batch: all.slice(2, 4) },
    { batch: all.slice(4) },
    ...rest,
  ]);
  await f(5, [{ batch: all }, ...rest]);
  await f(1000, [{ batch: all }, ...rest]);
});

test('nothing is flushed of nothing', async () => {
  const sink = new Sink();
  for (const size of [0, 7]) await new SeriesWriter(sink.write, size).flush();
  deepEqual(sink.messages, []);
});

test('whoever sends much waits for room now and then', async () => {
  const room = Promise.withResolvers<void>();
  let written = 0;
  const writer = new SeriesWriter((parts) => {
    written += sizeOf(parts);
    return room.promise;
  }, 0);
  const parts = series('s', 1000);
  let waits: Promise<void> | undefined;
  while (waits === undefined) waits = writer.series(parts, sizeOf(parts));
  equal(written > 64 * 1024 && written < 68 * 1024, true, `${written} bytes`);
  room.reject(new Error('client gone'));
  await rejects(waits, /client gone/);
});

test('a client that is gone is no unhandled rejection, and shows at the end', async () => {
  const writer = new SeriesWriter(() => Promise.reject(new Error('client gone')), 0);
  const parts = series('s', 10);
  equal(writer.series(parts, sizeOf(parts)), undefined);
  equal(writer.series(parts, sizeOf(parts)), undefined);
  await new Promise((resolve) => setImmediate(resolve));
  await rejects(writer.warning('text'), /client gone/);
});

test('what a batch is made of stays until it has been handed on', async () => {
  const sink = new Sink();
  const writer = new SeriesWriter(sink.write, 2);
  const memory = series('first', 30);
  const released: string[] = [];
  await writer.series(memory, sizeOf(memory));
  writer.release(() => {
    released.push('first');
    for (const part of memory) part.fill(0xff);
  });
  equal(released.length, 0);
  const second = series('second', 40);
  await writer.series(second, sizeOf(second));
  deepEqual(released, ['first']);
  deepEqual(sink.plain, [
    {
      batch: [
        ['first', 30],
        ['second', 40],
      ],
    },
  ]);
  writer.release(() => released.push('at once'));
  deepEqual(released, ['first', 'at once']);
  await writer.series(series('third', 1), sizeOf(series('third', 1)));
  writer.release(() => released.push('third'));
  writer.close();
  deepEqual(released, ['first', 'at once', 'third']);
});
