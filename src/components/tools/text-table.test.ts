import assert from 'node:assert/strict';
import test from 'node:test';
import { TABLE_LAYOUTS } from './text-table.ts';

// Drawn by tablewriter 0.0.5 with the settings of Thanos, and by encoding/csv.
test('cells of one and several lines, of odd widths, and none', () => {
  const header = ['A', 'LONGER', 'C'];
  const rows = [
    ['1', 'x', 'two\nlines'],
    ['', '日本', 'e\u0301'],
    ['"q"', 'a,b', 'tab\there'],
  ];
  assert.equal(
    TABLE_LAYOUTS.table({ header, rows }),
    `|  A  | LONGER |    C    |
|-----|--------|---------|
| 1   | x      | two     |
|     |        | lines   |
|     | 日本   | e\u0301       |
| "q" | a,b    | tab\there |
`,
  );
  assert.equal(
    TABLE_LAYOUTS.csv({ header, rows }),
    'A,LONGER,C\n1,x,"two\nlines"\n,日本,e\u0301\n"""q""","a,b",tab\there\n',
  );
  assert.equal(
    TABLE_LAYOUTS.tsv({ header, rows }),
    'A\tLONGER\tC\n1\tx\t"two\nlines"\n\t日本\te\u0301\n"""q"""\ta,b\t"tab\there"\n',
  );
  assert.equal(
    TABLE_LAYOUTS.table({ header, rows: [] }),
    '| A | LONGER | C |\n|---|--------|---|\n',
  );
});
