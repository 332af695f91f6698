/** Text to typed flag values and back. */
import { formatDuration, parseDuration } from '../lib/duration.ts';
import { GO_UNITS, formatGoDuration } from '../lib/go-duration.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import { parseTimeOrDuration } from '../lib/time-or-duration.ts';
import type { FlagKind, FlagSpec, FlagValue } from './flag-spec.ts';

/** What stands where a secret would be shown. */
const REDACTED = '<REDACTED>';

/** Flags whose content may hold credentials, wherever they appear. */
const SECRET_NAME = /^objstore\.config|(^|[.-])(config|password|secret|token)$/;

/**
 * The typed value of a flag's text.
 * @throws CodedError bad_data that says what was expected.
 */
export function parseFlagValue(spec: FlagSpec, text: string): FlagValue {
  return PARSERS[spec.kind](text, spec);
}

const PARSERS: Readonly<Record<FlagKind, (text: string, spec: FlagSpec) => FlagValue>> = {
  string: (text) => text,
  bool: parseBool,
  int: parseInteger,
  float: parseFloatNumber,
  duration: parseFlagDuration,
  bytes: parseBytes,
  enum: parseEnum,
  time: parseTime,
};

/** The value of a flag that has neither a default nor a place on the command line. */
export function zeroValue(kind: FlagKind): FlagValue {
  if (kind === 'bool') return false;
  return kind === 'string' || kind === 'enum' || kind === 'time' ? '' : 0;
}

/** compat: Go masks these two also when they are not set. */
const ALWAYS_MASKED: ReadonlySet<string> = new Set(['objstore.config', 'objstore.config-file']);

/** A value as `/api/v1/status/flags` shows it: durations as Prometheus or Go prints them, secrets masked. */
export function showFlagValue(spec: FlagSpec, value: FlagValue): string {
  if (ALWAYS_MASKED.has(spec.name)) return REDACTED;
  const secret = spec.secret ?? SECRET_NAME.test(spec.name);
  if (secret && value !== '') return REDACTED;
  if (spec.kind === 'duration') {
    const show = spec.goDuration === true ? formatGoDuration : formatDuration;
    return show(Number(value));
  }
  if (spec.kind === 'bytes') return formatBytes(Number(value));
  return String(value);
}

function parseBool(text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new CodedError('bad_data', `not true or false: ${JSON.stringify(text)}`);
}

function parseInteger(text: string): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new CodedError('bad_data', `not a whole number: ${JSON.stringify(text)}`);
}

function parseFloatNumber(text: string): number {
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : NaN;
  if (Number.isFinite(value)) return value;
  throw new CodedError('bad_data', `not a number: ${JSON.stringify(text)}`);
}

/** The text itself, once it is known to be one: what it means depends on when the command asks. */
function parseTime(text: string): string {
  parseTimeOrDuration(text);
  return text;
}

function parseEnum(text: string, spec: FlagSpec): string {
  const values = spec.values ?? [];
  if (values.includes(text)) return text;
  throw new CodedError(
    'bad_data',
    `enum value must be one of ${values.join(',')}, got ${JSON.stringify(text)}`,
  );
}

/** Milliseconds of a Prometheus duration (15d, 1h30m) or one of Go's (1.5h, 90m30s, 500us, -1h). */
function parseFlagDuration(text: string): number {
  try {
    return parseDuration(text);
  } catch (thrown) {
    const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
    if (match === null) throw new CodedError('bad_data', errorText(thrown), { cause: thrown });
    let total = 0;
    for (const [, digits, unit] of (match[2] as string).matchAll(/([\d.]+)([a-zµμ]+)/g)) {
      total += Number(digits) * (GO_UNITS[unit as string] as number);
    }
    return match[1] === '-' ? -total : total;
  }
}

/** compat: kingpin's Bytes reads KB, MB, … as powers of 1024, as it does KiB, MiB, …. */
const BYTE_UNITS: readonly string[] = ['', 'K', 'M', 'G', 'T', 'P'];

function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGTP]?)(i?)(B?)$/i.exec(text);
  const unit = match === null ? -1 : BYTE_UNITS.indexOf((match[2] as string).toUpperCase());
  const value = match === null ? NaN : Number(match[1]) * 1024 ** unit;
  if (Number.isSafeInteger(value)) return value;
  throw new CodedError(
    'bad_data',
    `not a size in bytes such as 512KB or 64MB: ${JSON.stringify(text)}`,
  );
}

function formatBytes(value: number): string {
  let unit = 0;
  let rest = value;
  while (rest !== 0 && rest % 1024 === 0 && unit < BYTE_UNITS.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${rest}${BYTE_UNITS[unit]}B`;
}
