/**
 * Plans as text: one YAML document a block, laid out as Go's yaml.v2 lays out blockgen.BlockSpec, so that the text
 * equals the Go program's byte for byte. The exception are label values that yaml.v2 would spread over several lines
 * (longer than 80 columns, or with line feeds): here they stay on one line and mean the same.
 */
import { formatGoDuration } from '../../lib/go-duration.ts';
import { formatGoFloat } from '../../ops/go-float.ts';
import type { BlockSpec, SeriesSpec } from './block-spec.ts';

/** What stands between two blocks. */
export const DOCUMENT_SEPARATOR = '---\n';

/** The document of one block, without a separator. */
export function printBlockSpec(spec: BlockSpec): string {
  const { thanos } = spec;
  return `meta:
  blockmeta:
    ulid: "00000000000000000000000000"
    mintime: ${spec.minTime}
    maxtime: ${spec.maxTime}
    stats:
      numsamples: 0
      numseries: 0
      numchunks: 0
      numtombstones: 0
    compaction:
      level: ${spec.level}
      sources: []
      deletable: false
      parents: []
      failed: false
    version: 1
  thanos:
    version: ${thanos.version}
    labels:${printLabels(thanos.labels, '      ')}
    downsample:
      resolution: ${thanos.resolution}
    source: ${printText(thanos.source)}
    segmentfiles: []
    files: []
    rewrites: []
series:${spec.series.length === 0 ? ' []\n' : `\n${spec.series.map(printSeries).join('')}`}`;
}

function printSeries(series: SeriesSpec): string {
  return `- labels:${printLabels(series.labels, '    ')}
  targets: ${series.targets}
  type: ${series.type}
  mintime: ${series.minTime}
  maxtime: ${series.maxTime}
  jitter: ${printFloat(series.jitter)}
  scrapeInterval: ${formatGoDuration(series.scrapeIntervalMs)}
  changeInterval: ${formatGoDuration(series.changeIntervalMs)}
  max: ${printFloat(series.max)}
  min: ${printFloat(series.min)}
`;
}

function printLabels(labels: readonly (readonly [string, string])[], indent: string): string {
  if (labels.length === 0) return ' {}';
  const sorted = labels.toSorted(([a], [b]) => compareNaturally(a, b));
  const lines = sorted.map(([name, value]) => `\n${indent}${printText(name)}: ${printText(value)}`);
  return lines.join('');
}

function printFloat(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  return formatGoFloat(value);
}

/** Plain texts that YAML 1.1 takes for something else: null, booleans, numbers in bases 2 to 60, times, merge keys. */
const NOT_A_STRING: readonly RegExp[] = [
  /^(?:|~|null|Null|NULL)$/,
  /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF|true|True|TRUE|false|False|FALSE)$/,
  /^[-+]?0b[01_]+$|^[-+]?0o?[0-7_]+$|^[-+]?0x[\da-fA-F_]+$|^[-+]?\d[\d_]*$/,
  /^[-+]?(?:\.[\d_]+|\d[\d_]*(?:\.[\d_]*)?)(?:[eE][-+]?\d+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$/,
  /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/,
  /^\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|[ \t]+)\d{1,2}:\d{2}:\d{2}(?:\.\d*)?[ \t]*(?:Z|[-+]\d{1,2}(?::?\d{2})?)?)?$/,
];

/** A plain scalar must not start with an indicator, hold ": " or " #", or begin or end with blanks. */
const NOT_PLAIN = /^[-?:](?:[ \t]|$)|^[,[\]{}#&*!|>'"%@`]|^[ \t]|[ \t]$|: |:$| #|^(?:---|\.\.\.)/;

// oxlint-disable-next-line no-control-regex -- control characters are what must be escaped
const NOT_PRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\ud800-\udfff]/;

const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
};

/** A text as a scalar: plain where it can be, in double quotes where plain would be no text, else in single quotes. */
function printText(text: string): string {
  if (NOT_PRINTABLE.test(text)) return doubleQuoted(text);
  if (NOT_A_STRING.some((pattern) => pattern.test(text))) return doubleQuoted(text);
  return NOT_PLAIN.test(text) ? `'${text.replaceAll("'", "''")}'` : text;
}

function doubleQuoted(text: string): string {
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const known = ESCAPES[char];
    if (known !== undefined) out += known;
    else if (!NOT_PRINTABLE.test(char)) out += char;
    else if (code <= 0xff) out += `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`;
    else if (code <= 0xffff) out += `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;
    else out += `\\U${code.toString(16).toUpperCase().padStart(8, '0')}`;
  }
  return `"${out}"`;
}

/**
 * compat: the order of yaml.v2's map keys. At the first difference a letter comes behind anything else, digits are
 * compared as the numbers that start there, and of equal numbers the shorter text comes first.
 */
function compareNaturally(a: string, b: string): number {
  const x = Array.from(a);
  const y = Array.from(b);
  const n = Math.min(x.length, y.length);
  for (let i = 0; i < n; i++) {
    const p = x[i] as string;
    const q = y[i] as string;
    if (p === q) continue;
    const [pLetter, qLetter] = [/\p{L}/u.test(p), /\p{L}/u.test(q)];
    if (pLetter !== qLetter) return pLetter ? 1 : -1;
    if (pLetter) return codePoint(p) - codePoint(q);
    const [pDigits, qDigits] = [digitsAt(x, i), digitsAt(y, i)];
    const order = Number(pDigits) - Number(qDigits) || pDigits.length - qDigits.length;
    return order === 0 ? codePoint(p) - codePoint(q) : order;
  }
  return x.length - y.length;
}

function digitsAt(text: readonly string[], from: number): string {
  return /^\d*/.exec(text.slice(from).join(''))?.[0] ?? '';
}

function codePoint(char: string): number {
  return char.codePointAt(0) ?? 0;
}
