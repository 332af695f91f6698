import { deepEqual, equal, throws } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemFiles } from '../../lib/file-layer.ts';
import { Random } from '../../lib/prng.ts';
import { compareUtf8 } from '../../lib/utf8.ts';
import { Labels, compareLabels } from '../../model/labels.ts';
import { IndexWriter } from './index-writer.ts';
import { SymbolTable } from './symbol-table.ts';

const TEXTS = ['a', 'aa', 'b', 'x'.repeat(200), 'ü', '\ufffd', '\u{10000}', '', '__name__'];
const CHUNKS = [
  { mint: 1, maxt: 5 },
  { mint: 6, maxt: 6 },
];
const REFS = Float64Array.of(8, 100);

test('index writer: by numbers the same file as by texts', () => {
  const random = new Random(5);
  for (let round = 0; round < 20; round++) {
    using directory = temporaryDirectory();
    const text = (): string => TEXTS[random.below(TEXTS.length)] ?? '';
    const sets = new Map<string, Labels>();
    for (let i = 0; i < 50; i++) {
      const pairs = Array.from({ length: 1 + random.below(4) }, () => [text(), text()] as const);
      const labels = Labels.fromPairs(pairs);
      if (labels.size > 0) sets.set(labels.key, labels);
    }
    const series = [...sets.values()].sort(compareLabels);
    const symbols = [...new Set(TEXTS)].sort(compareUtf8);
    const byText = new IndexWriter(systemFiles, join(directory.path, 'texts'));
    for (const symbol of symbols) byText.symbol(symbol);
    for (const labels of series) byText.series(labels, CHUNKS, REFS);
    byText.finish();
    const byNumber = new IndexWriter(systemFiles, join(directory.path, 'numbers'));
    const numbers = new Map(symbols.map((s) => [s, byNumber.symbolBytes(Buffer.from(s))]));
    for (const { pairs } of series) {
      const numbered = Uint32Array.from(pairs, (one) => numbers.get(one) ?? -1);
      byNumber.numberedSeries(numbered, CHUNKS, REFS);
    }
    byNumber.finish();
    const [want, got] = ['texts', 'numbers'].map((n) => readFileSync(join(directory.path, n)));
    deepEqual(got, want);
  }
});

test('index writer: numbers out of order are refused', () => {
  using directory = temporaryDirectory();
  const writer = new IndexWriter(systemFiles, join(directory.path, 'index'));
  deepEqual(
    ['a', 'b', 'ü'].map((text) => writer.symbolBytes(Buffer.from(text))),
    [0, 1, 2],
  );
  equal(writer.symbolBytes(Buffer.from('ü')), -1);
  equal(writer.symbolBytes(Buffer.from('b')), -1);
  writer.numberedSeries(Uint32Array.of(0, 2), CHUNKS, REFS);
  const f = (message: RegExp, symbols: number[], chunks = CHUNKS): void => {
    throws(() => writer.numberedSeries(Uint32Array.from(symbols), chunks, REFS), message);
  };
  f(/series of a block are not in order: \{a="ü"\} follows \{a="ü"\}/, [0, 2]);
  f(/\{a="b", b="b"\} follows \{a="ü"\}/, [0, 1, 1, 1]);
  f(
    /chunks of \{a="ü", b="b"\} are not in order: chunk 1 from 1 to 5 behind 6/,
    [0, 2, 1, 1],
    CHUNKS.toReversed(),
  );
  writer.abandon();
});

test('symbol table: symbols that came as bytes are found by their text', () => {
  const table = new SymbolTable();
  for (const text of ['', 'a', 'x'.repeat(300), 'ü']) table.addBytes(Buffer.from(text));
  deepEqual(
    [0, 1, 2, 3].map((number) => table.text(number)),
    ['', 'a', 'x'.repeat(300), 'ü'],
  );
  deepEqual([table.number('ü'), table.number(''), table.count], [3, 0, 4]);
  throws(() => table.number('b'), /"b" is not among the symbols/);
});
