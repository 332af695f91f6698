/** The commands of Prometheus' test language (promql/promqltest): load, clear, eval with what it expects. */
import { parseDuration } from '../../src/lib/duration.ts';
import { unquote } from '../../src/promql/parse/quote.ts';
import { parseFloatText } from './promqltest-histogram.ts';
import { parseSeries, parseStarts, type SeriesDescription } from './promqltest-series.ts';

/** A series to store. */
export interface LoadedSeries extends SeriesDescription {
  /** Of each value the start timestamp, ms from its time; undefined where there is none. */
  readonly starts: readonly (number | undefined)[] | undefined;
}

/** Adds series; the first value is at time 0. */
export interface LoadCommand {
  readonly kind: 'load';
  readonly stepMs: number;
  readonly series: readonly LoadedSeries[];
  /** Whether classic histograms are stored a second time, as native histograms with custom buckets. */
  readonly customHistograms: boolean;
}

/** A condition on an error or annotation text. */
export interface TextExpectation {
  readonly what: 'fail' | 'warn' | 'no_warn' | 'info' | 'no_info' | 'ordered';
  /** Exact text, or a pattern; neither: anything. */
  readonly message: string | undefined;
  readonly pattern: string | undefined;
}

/** Evaluates an expression. */
export interface EvalCommand {
  readonly kind: 'eval';
  readonly line: number;
  readonly expr: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
  readonly texts: readonly TextExpectation[];
  readonly series: readonly SeriesDescription[];
  readonly scalar: number | undefined;
  readonly text: string | undefined;
  /** Of an instant query that gives a range vector: the grid that the expected values lie on. */
  readonly rangeVector: { startMs: number; endMs: number; stepMs: number } | undefined;
}

/** Any command. */
export type Command = LoadCommand | EvalCommand | { readonly kind: 'clear' };

const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/;
const RANGE =
  /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/;
const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/;
const RANGE_VECTOR = /^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/;

/** Reads a script. */
export function parseScript(text: string): Command[] {
  const lines = text.split('\n').map((line) => (/^\s*#/.test(line) ? '' : line.trim()));
  const commands: Command[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line === '') continue;
    const body: string[] = [];
    if (/^(load|eval)/i.test(line)) {
      while (i + 1 < lines.length && lines[i + 1] !== '') body.push(lines[++i] as string);
    }
    if (/^clear/i.test(line)) commands.push({ kind: 'clear' });
    else if (/^load/i.test(line)) commands.push(parseLoad(line, body));
    else if (/^eval/i.test(line)) commands.push(parseEval(line, i + 1 - body.length, body));
    else throw new Error(`line ${i + 1}: invalid command "${line}"`);
  }
  return commands;
}

function parseLoad(line: string, body: readonly string[]): LoadCommand {
  const match = /^load(?:_(with_nhcb))?\s+(.+?)$/.exec(line);
  return {
    kind: 'load',
    stepMs: parseDuration(match?.[2] ?? ''),
    customHistograms: match?.[1] !== undefined,
    series: parseLoaded(body),
  };
}

function parseLoaded(body: readonly string[]): LoadedSeries[] {
  const loaded: LoadedSeries[] = [];
  let pending: ReturnType<typeof parseStarts>;
  for (const line of body) {
    const starts = parseStarts(line);
    if (starts === undefined) {
      const series = parseSeries(line);
      const differs = pending !== undefined && pending.labels.key !== series.labels.key;
      if (differs || (pending?.starts.length ?? series.values.length) !== series.values.length) {
        throw new Error(`start timestamps do not belong to "${line}"`);
      }
      loaded.push({ ...series, starts: pending?.starts });
    } else if (pending !== undefined) throw new Error(`start timestamps twice: "${line}"`);
    pending = starts;
  }
  if (pending !== undefined) throw new Error('start timestamps without samples');
  return loaded;
}

function parseEval(line: string, number: number, body: readonly string[]): EvalCommand {
  const range = RANGE.exec(line);
  const instant = range === null ? INSTANT.exec(line) : null;
  if (range === null && instant === null) throw new Error(`line ${number}: invalid eval`);
  const [mode, from = '', to = from, step = '', expr = ''] =
    range === null
      ? [instant?.[1], instant?.[2], instant?.[2], '0', instant?.[3]]
      : [range[1], range[2], range[3], range[4], range[5]];
  const expected = parseExpectations(body, mode);
  return {
    kind: 'eval',
    line: number,
    expr,
    startMs: parseDuration(from),
    endMs: parseDuration(to),
    stepMs: parseDuration(step),
    ...expected,
  };
}

type Expectations = Pick<EvalCommand, 'texts' | 'series' | 'scalar' | 'text' | 'rangeVector'>;

function parseExpectations(body: readonly string[], mode: string | undefined): Expectations {
  const texts: TextExpectation[] = [];
  const series: SeriesDescription[] = [];
  let scalar: number | undefined;
  let text: string | undefined;
  let rangeVector: EvalCommand['rangeVector'];
  if (mode !== undefined) {
    const what = mode as TextExpectation['what'];
    const failure = body.map((line) => /^expected_fail_(message|regexp)\s+(.*)$/.exec(line));
    const found = failure.find((match) => match !== null);
    texts.push({
      what,
      message: found?.[1] === 'message' ? found[2] : undefined,
      pattern: found?.[1] === 'regexp' ? found[2] : undefined,
    });
  }
  for (const line of body) {
    if (line.startsWith('expected_fail_')) break;
    const grid = RANGE_VECTOR.exec(line);
    if (grid !== null) {
      const [startMs = 0, endMs = 0, stepMs = 0] = grid.slice(1).map(parseDuration);
      rangeVector = { startMs, endMs, stepMs };
    } else if (line.startsWith('expect string')) {
      text = unquote(line.slice('expect string'.length).trim());
    } else if (line.startsWith('expect ')) texts.push(parseExpect(line));
    else if (/^[+-]?(?:\d|\.\d|inf|nan)\S*$/i.test(line)) {
      scalar = parseFloatText(line);
      break;
    } else series.push(parseSeries(line));
  }
  return { texts, series, scalar, text, rangeVector };
}

function parseExpect(line: string): TextExpectation {
  const match = EXPECT.exec(line);
  if (match === null) throw new Error(`invalid expect statement "${line}"`);
  const [, what, how, detail] = match;
  return {
    what: what as TextExpectation['what'],
    message: how === 'msg' ? detail?.trim() : undefined,
    pattern: how === 'regex' ? detail?.trim() : undefined,
  };
}
