import { deepEqual } from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemFiles } from '../../lib/file-layer.ts';
import { nopLogger } from '../../lib/log.ts';
import { Random } from '../../lib/prng.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { encodeWriteRequest } from '../../../test/support/write-request.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { HeadChunkWriter } from '../chunks/head-chunk-writer.ts';
import { WalWriter } from '../wal/wal-writer.ts';
import { ArenaView, createArenaMemory } from './arena.ts';
import { HeadOrder } from './head-order.ts';
import { HeadWriter } from './head-writer.ts';
import { PostingsReader } from './postings-reader.ts';

for (const arenaCount of [1, 4]) {
  test(`series of ${arenaCount} arenas come in label order, with the symbols they use`, () => {
    using directory = temporaryDirectory();
    const random = new Random(7);
    const memories = Array.from({ length: arenaCount }, () => createArenaMemory(64 << 20));
    const head = new HeadWriter({ memories, log: nopLogger });
    const wal = { directory: join(directory.path, 'wal'), files: systemFiles, log: nopLogger };
    head.attach(
      { wal: new WalWriter(wal) },
      new HeadChunkWriter(join(directory.path, 'chunks_head'), systemFiles),
    );
    const texts = ['', 'a', 'ab', 'b', 'é', '～', '😀', '\u0001', 'z'];
    const pick = (): string => texts[random.below(texts.length)] as string;
    const all = new Map<string, Labels>();
    for (let i = 0; i < 300; i++) {
      const pairs = Array.from({ length: random.below(4) }, (): [string, string] => [
        `l${pick()}`,
        pick(),
      ]);
      const labels = Labels.fromPairs([['__name__', `m${random.below(5)}`], ...new Map(pairs)]);
      all.set(labels.key, labels);
    }
    const series = [...all.values()].map((labels) => ({
      labels: [...labels],
      samples: [[1, 1]] as const,
    }));
    head.write(encodeWriteRequest(series));
    head.close();

    const views = memories.map((memory) => new ArenaView(memory));
    const postings = views.map((view) => new PostingsReader(view));
    const want = [...all.values()].sort(compareLabels);
    const order = new HeadOrder({ views, postings }, () => true);
    const got = Array.from({ length: order.count }, (_, n) => order.labels(n).pairs);
    deepEqual(
      got,
      want.map(({ pairs }) => pairs),
    );
    const symbols = new Set(want.flatMap(({ pairs }) => pairs));
    deepEqual(order.symbols(), [...symbols].sort(compareUtf8));
    // Of series that are left out, no symbol is there.
    const none = new HeadOrder({ views, postings }, () => false);
    deepEqual([none.count, none.symbols()], [0, []]);
  });
}
