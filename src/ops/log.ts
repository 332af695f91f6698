/**
 * The logger of a process, in Thanos' shape: `ts=… caller=… level=info component=x msg="…" key=value` in logfmt, the
 * same fields as one JSON object a line, or logfmt behind the priority that journald reads from a service's stderr.
 *
 * There is no stack capture: who wants `caller` gives it as a constant to {@link Logger.with}.
 */
import { writeSync } from 'node:fs';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger, LogLevel, LogValue } from '../lib/log.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { logfmtField, logfmtValue } from './logfmt.ts';

/** The values of `--log.format`. */
export type LogFormat = 'logfmt' | 'json' | 'journald';

/** The values of `--log.level`, most severe first, as Thanos lists them. */
export const LOG_LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** The values of `--log.format`, as Thanos lists them. */
export const LOG_FORMATS: readonly LogFormat[] = ['logfmt', 'json', 'journald'];

/** How to make a logger. */
export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly clock?: Clock;
  /** Takes one line with its newline; by default it is on stderr when the call returns. */
  readonly write?: (line: string) => void;
}

type Fields = Record<string, LogValue>;

/** syslog priorities of sd-daemon(3); journald strips `<N>` from a line and keeps N. */
const PRIORITY: Readonly<Record<LogLevel, string>> = {
  error: '<3>',
  warn: '<4>',
  info: '<6>',
  debug: '<7>',
};

/** Makes the logger of a process. */
export function createLogger(options: LogOptions): Logger {
  const { format, clock = systemClock, write = writeStderr } = options;
  const rank = LOG_LEVELS.indexOf(options.level);
  const emit = (level: LogLevel, context: Context, msg: string, fields: Fields | undefined) => {
    const ts = new Date(clock.now()).toISOString();
    if (format === 'json') write(jsonLine(ts, level, context, msg, fields));
    else
      write(
        logfmtLine(format === 'journald' ? PRIORITY[level] : '', ts, level, context, msg, fields),
      );
  };
  return new ContextLogger(rank, emit, { fields: {}, caller: undefined, logfmt: '' });
}

/** What `with` collected; `logfmt` is the rendered text, so that a line costs only its own fields. */
interface Context {
  readonly fields: Fields;
  readonly caller: LogValue;
  readonly logfmt: string;
}

type Emit = (level: LogLevel, context: Context, msg: string, fields: Fields | undefined) => void;

class ContextLogger implements Logger {
  readonly #rank: number;
  readonly #emit: Emit;
  readonly #context: Context;

  constructor(rank: number, emit: Emit, context: Context) {
    this.#rank = rank;
    this.#emit = emit;
    this.#context = context;
  }

  error(msg: string, fields?: Fields): void {
    this.#emit('error', this.#context, msg, fields);
  }

  warn(msg: string, fields?: Fields): void {
    if (this.#rank >= 1) this.#emit('warn', this.#context, msg, fields);
  }

  info(msg: string, fields?: Fields): void {
    if (this.#rank >= 2) this.#emit('info', this.#context, msg, fields);
  }

  debug(msg: string, fields?: Fields): void {
    if (this.#rank >= 3) this.#emit('debug', this.#context, msg, fields);
  }

  with(fields: Fields): Logger {
    const { caller = this.#context.caller, ...own } = fields;
    let logfmt = this.#context.logfmt;
    for (const [key, value] of Object.entries(own)) logfmt += logfmtField(key, value);
    const context = { fields: { ...this.#context.fields, ...own }, caller, logfmt };
    return new ContextLogger(this.#rank, this.#emit, context);
  }
}

function logfmtLine(
  prefix: string,
  ts: string,
  level: LogLevel,
  context: Context,
  msg: string,
  fields: Fields | undefined,
): string {
  let line = `${prefix}ts=${ts}${logfmtField('caller', context.caller)} level=${level}`;
  line += `${context.logfmt} msg=${logfmtValue(msg)}`;
  for (const key in fields) line += logfmtField(key, fields[key]);
  return `${line}\n`;
}

/** compat: go-kit marshals a map, so the keys are sorted and a later field replaces an earlier one. */
function jsonLine(
  ts: string,
  level: LogLevel,
  context: Context,
  msg: string,
  fields: Fields | undefined,
): string {
  const all: Fields = { ts, caller: context.caller, level, ...context.fields, msg, ...fields };
  const parts: string[] = [];
  for (const key of Object.keys(all).toSorted(compareUtf8)) {
    const value = all[key];
    if (value === undefined) continue;
    const plain = value instanceof Error ? value.message : value;
    parts.push(`${JSON.stringify(key)}:${JSON.stringify(plain)}`);
  }
  return `{${parts.join(',')}}\n`;
}

/** Writes a line to stderr before returning, so that the last words of a dying process are not lost. */
function writeStderr(line: string): void {
  const bytes = Buffer.from(line, 'utf8');
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(2, bytes, at);
    } catch (thrown) {
      if (!isAgain(thrown)) return;
      // A non-blocking pipe is full: the stream keeps the rest in order and writes it when the reader catches up.
      process.stderr.write(bytes.subarray(at));
      return;
    }
  }
}

function isAgain(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'EAGAIN';
}
