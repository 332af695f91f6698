/**
 * Asks a server range queries through HTTP and measures the answers. The range is shifted each time, and what comes back
 * is compared with what must come back: an answer with nothing in it is fast.
 */
import { Agent, get } from 'node:http';
import type { ThanosAll } from '../../test/support/server-process.ts';
import { forgetPeak, memoryMib } from '../../test/support/process-memory.ts';
import { SCRAPE_MS } from './series-data.ts';

const agent = new Agent({ keepAlive: true });

/** Between the ends of two ranges. */
const SHIFT_MS = 4000;
/** A query whose first answer takes longer is not asked again. */
const PATIENCE_MS = 5000;

/** Which points an answer has, of `rows` at each step. */
type Shape =
  /** All of them, in as many series. */
  | 'full'
  /** All of them, in more series: which ones are there changes from step to step. */
  | 'moving'
  /** Some of them, in as many series. */
  | 'sparse';

/** A range query and what is known of its answer. */
export interface Question {
  readonly query: string;
  readonly spanS: number;
  readonly stepS: number;
  /** Samples that are read for it. */
  readonly samples: number;
  readonly rows: number;
  readonly shape: Shape;
}

/** Samples of so many series over a span and the seconds before that its first point sees. */
export function samplesOf(series: number, spanS: number, windowS: number): number {
  return Math.round((series * (spanS + windowS) * 1000) / SCRAPE_MS);
}

/** How often a question is asked, and for which range. */
export interface AskOptions {
  /**
   * Where the newest range ends, ms: a second before a scrape. So no sample lies where a window begins, and any server
   * that has the same samples gives the same answer.
   */
  readonly endMs: number;
  /** Times before those that count: workers start, and the engine compiles. */
  readonly warmUps: number;
  /** Odd, so that there is a median. */
  readonly runs: number;
}

/** What was measured; names are those of the printed line. */
export interface Measured {
  readonly median_ms: number;
  readonly all_ms: readonly number[];
  /** What the server's threads took for one, on average: 10 ms is the least that the system counts. */
  readonly cpu_ms: number;
  readonly samples: number;
  readonly samples_per_second: number;
  readonly result_series: number;
  readonly result_points: number;
  readonly result_bytes: number;
  readonly peak_mib: number;
}

interface Answer {
  readonly data: {
    readonly result: readonly {
      readonly values?: readonly unknown[];
      readonly histograms?: readonly unknown[];
    }[];
  };
}

/** Asks and measures. @throws Error when an answer is no success or has not what is expected. */
export async function askRange(
  server: ThanosAll,
  question: Question,
  options: AskOptions,
): Promise<Measured> {
  const { process } = server;
  const times: number[] = [];
  forgetPeak(process.pid);
  let bytes: Buffer = Buffer.alloc(0);
  let cpuBefore = process.cpuSeconds();
  const total = options.warmUps + options.runs;
  for (let left = total - 1; left >= 0; left--) {
    if (left === options.runs - 1) cpuBefore = process.cpuSeconds();
    const url = addressOf(server.api, question, options.endMs - left * SHIFT_MS);
    const begun = performance.now();
    const response = await ask(url);
    bytes = response.bytes;
    times.push(performance.now() - begun);
    if (response.status !== 200) throw new Error(`${question.query}: ${bytes.toString()}`);
    if ((times[0] as number) > PATIENCE_MS) break;
  }
  const cpuSeconds = process.cpuSeconds() - cpuBefore;
  const peak = memoryMib(process.pid, 'VmHWM');
  const counts = check(question, bytes);
  const steady = times.slice(times.length === total ? options.warmUps : 0).sort((a, b) => a - b);
  const median = steady[steady.length >> 1] as number;
  return {
    median_ms: Math.round(median * 10) / 10,
    all_ms: times.map(Math.round),
    cpu_ms: Math.round((cpuSeconds / steady.length) * 1000),
    samples: question.samples,
    samples_per_second: Math.round((question.samples / median) * 1000),
    result_series: counts.series,
    result_points: counts.points,
    result_bytes: bytes.length,
    peak_mib: Math.round(peak),
  };
}

/**
 * Asks without compression. perf: who asks shares the cores with the server. To read 6 MB takes fetch 17 to 26 ms of them, and this
 * 8 to 12.
 */
function ask(url: string): Promise<{ status: number | undefined; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers: { 'Accept-Encoding': 'identity' } }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode, bytes: Buffer.concat(pieces) }),
      );
    });
    request.on('error', reject);
  });
}

function addressOf(api: string, { query, spanS, stepS }: Question, endMs: number): string {
  const end = endMs / 1000;
  return `${api}/api/v1/query_range?query=${encodeURIComponent(query)}&start=${end - spanS}&end=${end}&step=${stepS}`;
}

/** Counts what an answer has. @throws Error when it is not what the question says. */
function check(question: Question, bytes: Buffer): { series: number; points: number } {
  const { query, spanS, stepS, rows, shape } = question;
  const { result } = (JSON.parse(bytes.toString()) as Answer).data;
  const series = result.length;
  const points = result.reduce(
    (n, row) => n + (row.values?.length ?? 0) + (row.histograms?.length ?? 0),
    0,
  );
  const all = rows * (Math.floor(spanS / stepS) + 1);
  const right = {
    full: series === rows && points === all,
    moving: series >= rows && points === all,
    sparse: series === rows && points > 0 && points < all,
  };
  if (!right[shape]) {
    const want = `${rows} series and ${all} points, ${shape}`;
    throw new Error(`${query}: ${series} series with ${points} points, expected ${want}`);
  }
  return { series, points };
}
