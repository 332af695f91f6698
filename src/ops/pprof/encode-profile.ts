/**
 * Profiles in the format of pprof, which `go tool pprof` opens: profile.proto of github.com/google/pprof, gzipped.
 *
 * ```
 * Profile   1 ValueType…  2 Sample…  3 Mapping  4 Location…  5 Function…  6 string…  9 time ns  10 duration ns
 *           11 ValueType of the period  12 period  13 comment…
 * ValueType 1 type  2 unit                         Sample   1 location…  2 value…  3 Label…
 * Location  1 id  2 mapping  4 Line                Line     1 function  2 line     Label 1 key  2 text
 * Function  1 id  2 name  3 system name  4 file  5 start line
 * Mapping   1 id  5 file  7, 8, 9 has functions, file names, line numbers
 * ```
 * Texts are numbers of the string table, whose first entry is empty.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const pack = promisify(gzip);

/** A place in the code. */
export interface Frame {
  readonly name: string;
  readonly file: string;
  /** From 1; 0 when unknown. */
  readonly line: number;
}

/** What was seen of one stack. */
export interface StackSample {
  /** Innermost first. */
  readonly stack: readonly Frame[];
  /** As many as there are types, whole numbers. */
  readonly values: readonly number[];
  /** The thread that it was seen in. */
  readonly thread: string;
}

/** The kind of a value, as in `cpu`, `nanoseconds`. */
export interface ValueType {
  readonly type: string;
  readonly unit: string;
}

/** A profile. */
export interface ProfileData {
  readonly types: readonly ValueType[];
  readonly samples: readonly StackSample[];
  readonly startMs: number;
  readonly durationMs: number;
  readonly period: ValueType & { readonly value: number };
  readonly comments: readonly string[];
}

/** The bytes of the file. */
export function encodeProfile(data: ProfileData): Promise<Buffer> {
  return pack(new ProfileEncoder().encode(data));
}

class ProfileEncoder {
  readonly #strings = new Map<string, number>([['', 0]]);
  readonly #functions = new Map<string, number>();
  readonly #locations = new Map<string, number>();
  /** Functions and locations, encoded as they are met. */
  readonly #tables: Buffer[] = [];

  encode(data: ProfileData): Buffer {
    const { period } = data;
    const parts = [
      ...data.types.map((type) => message(1, this.#valueType(type))),
      ...data.samples.map((sample) => message(2, this.#sample(sample))),
      message(3, [
        ...number(1, 1),
        ...number(5, this.#text('thanos')),
        ...[7, 8, 9].flatMap((field) => number(field, 1)),
      ]),
      Buffer.from(number(9, Math.round(data.startMs) * 1e6)),
      Buffer.from(number(10, Math.round(data.durationMs * 1e6))),
      message(11, this.#valueType(period)),
      Buffer.from(number(12, period.value)),
      ...data.comments.map((comment) => Buffer.from(number(13, this.#text(comment)))),
    ];
    const strings = [...this.#strings.keys()].map((text) => message(6, Buffer.from(text, 'utf8')));
    return Buffer.concat([...parts, ...this.#tables, ...strings]);
  }

  #valueType({ type, unit }: ValueType): number[] {
    return [...number(1, this.#text(type)), ...number(2, this.#text(unit))];
  }

  #sample({ stack, values, thread }: StackSample): number[] {
    const label = [...number(1, this.#text('thread')), ...number(2, this.#text(thread))];
    return [
      ...packed(
        1,
        stack.map((frame) => this.#location(frame)),
      ),
      ...packed(2, values),
      ...message(3, label),
    ];
  }

  #location(frame: Frame): number {
    const key = `${frame.line} ${frame.file} ${frame.name}`;
    const known = this.#locations.get(key);
    if (known !== undefined) return known;
    const id = this.#locations.size + 1;
    this.#locations.set(key, id);
    const line = [...number(1, this.#function(frame, key)), ...number(2, frame.line)];
    this.#tables.push(message(4, [...number(1, id), ...number(2, 1), ...message(4, line)]));
    return id;
  }

  #function({ name, file, line }: Frame, key: string): number {
    const known = this.#functions.get(key);
    if (known !== undefined) return known;
    const id = this.#functions.size + 1;
    this.#functions.set(key, id);
    const text = this.#text(name);
    this.#tables.push(
      message(5, [
        ...number(1, id),
        ...number(2, text),
        ...number(3, text),
        ...number(4, this.#text(file)),
        ...number(5, line),
      ]),
    );
    return id;
  }

  #text(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    const id = this.#strings.size;
    this.#strings.set(text, id);
    return id;
  }
}

/** A varint field; a double holds all values that there are. */
function number(field: number, value: number): number[] {
  return [field << 3, ...varint(value)];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

function packed(field: number, values: readonly number[]): number[] {
  const content = values.flatMap(varint);
  return [(field << 3) | 2, ...varint(content.length), ...content];
}

function message(field: number, content: readonly number[] | Buffer): Buffer {
  const head = [(field << 3) | 2, ...varint(content.length)];
  return Buffer.concat([Buffer.from(head), Buffer.from(content)]);
}
