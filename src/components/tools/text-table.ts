/**
 * Tables as text, in the three layouts of `tools bucket inspect`: boxes of `|` and `-` as
 * github.com/olekukonko/tablewriter 0.0.5 draws them with Thanos' settings, and Go's encoding/csv with commas or tabs.
 */

/** A heading and rows of as many cells. */
export interface TextTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The layouts by the names that `--output` has for them. */
export const TABLE_LAYOUTS: Readonly<
  Record<'table' | 'tsv' | 'csv', (table: TextTable) => string>
> = {
  table: drawTable,
  tsv: (table) => separated(table, '\t'),
  csv: (table) => separated(table, ','),
};

/** A box around every cell; headings are centred, cells begin at the left. A cell may have several lines. */
function drawTable({ header, rows }: TextTable): string {
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].flatMap((row) => linesOf(row[column]).map(displayWidth))),
  );
  const draw = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  const out = [draw(header.map((text, i) => centred(text, widths[i] ?? 0)))];
  out.push(`|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|\n`);
  for (const row of rows) {
    const cells = row.map(linesOf);
    const height = Math.max(...cells.map((lines) => lines.length));
    for (let line = 0; line < height; line++) {
      out.push(draw(cells.map((lines, i) => padded(lines[line] ?? '  ', widths[i] ?? 0))));
    }
  }
  return out.join('');
}

function linesOf(text = ''): string[] {
  return text.split('\n');
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

function centred(text: string, width: number): string {
  const gap = width - displayWidth(text);
  const left = Math.floor(gap / 2);
  return ' '.repeat(left) + text + ' '.repeat(gap - left);
}

/** Characters of East Asian scripts and pictures, which fill two columns of a terminal. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
/** Characters without a width of their own. */
const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u;

function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) width += WIDE.test(char) ? 2 : ZERO_WIDTH.test(char) ? 0 : 1;
  return width;
}

function separated({ header, rows }: TextTable, separator: string): string {
  const line = (row: readonly string[]): string =>
    `${row.map((cell) => quoted(cell, separator)).join(separator)}\n`;
  return [header, ...rows].map(line).join('');
}

/** compat: Go's writer quotes what holds the separator, a quote or a line end, or begins with white space. */
function quoted(cell: string, separator: string): string {
  const special = cell.includes(separator) || /["\r\n]|^\s/.test(cell) || cell === '\\.';
  return special ? `"${cell.replaceAll('"', '""')}"` : cell;
}
