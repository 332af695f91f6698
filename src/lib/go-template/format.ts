/**
 * Go's fmt for the values of templates: Sprint, Sprintln and Sprintf with all verbs and flags. What is wrong with a
 * format is part of the text (`%!d(string=hi)`), as in Go. Behaviour: Go's fmt package.
 */
import { compareUtf8 } from '../utf8.ts';
import { goBytes, goText, quoteGo } from '../go-strings.ts';
import { formatFloat, formatInteger, pad } from './format-number.ts';
import type { FormatFlags } from './format-number.ts';
import { GoFunction, GoList, GoMap, GoStruct, typeOf } from './value.ts';
import type { GoValue } from './value.ts';

const PLAIN: FormatFlags = {
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  names: false,
  source: false,
};

/** The values one after the other, with a space between two that are no texts. */
export function sprint(args: readonly GoValue[]): string {
  let out = '';
  for (const [i, arg] of args.entries()) {
    const spaced = i > 0 && typeof arg !== 'string' && typeof args[i - 1] !== 'string';
    out += (spaced ? ' ' : '') + formatValue(arg, 'v', PLAIN);
  }
  return out;
}

/** The values with a space between them and a line feed behind. */
export function sprintln(args: readonly GoValue[]): string {
  return `${args.map((arg) => formatValue(arg, 'v', PLAIN)).join(' ')}\n`;
}

/** The values by a format. */
export function sprintf(format: string, args: readonly GoValue[]): string {
  return new Formatter(format, args).run();
}

/** limit: widths and precisions, as in Go. */
const SIZE_MAX = 1_000_000;

/** Walks a format; `#at` is behind what has been read. */
class Formatter {
  readonly #format: string;
  readonly #args: readonly GoValue[];
  #at = 0;
  #next = 0;
  /** Whether arguments were named by number, so that some may be left over. */
  #reordered = false;
  #badIndex = false;

  constructor(format: string, args: readonly GoValue[]) {
    this.#format = format;
    this.#args = args;
  }

  run(): string {
    let out = '';
    for (;;) {
      const percent = this.#format.indexOf('%', this.#at);
      if (percent < 0) break;
      out += this.#format.slice(this.#at, percent);
      this.#at = percent + 1;
      out += this.#directive();
    }
    out += this.#format.slice(this.#at);
    if (this.#reordered || this.#next >= this.#args.length) return out;
    const extra = this.#args.slice(this.#next).map((arg) => {
      return isNil(arg) ? '<nil>' : `${typeOf(arg)}=${formatValue(arg, 'v', PLAIN)}`;
    });
    return `${out}%!(EXTRA ${extra.join(', ')})`;
  }

  #directive(): string {
    const flags = { ...PLAIN, ...this.#flags() };
    this.#badIndex = false;
    let named = this.#index();
    let problem = '';
    let { width, minus } = { width: flags.width, minus: flags.minus };
    if (this.#take('*')) {
      const size = this.#sizeArgument();
      if (size === undefined) problem += '%!(BADWIDTH)';
      else {
        minus ||= size < 0;
        width = Math.abs(size);
      }
      named = false;
    } else {
      const digits = this.#number();
      if (digits !== undefined) {
        width = digits;
        // "%[3]2d" is wrong.
        if (named) this.#badIndex = true;
      }
    }
    let precision: number | undefined;
    if (this.#take('.')) {
      if (named) this.#badIndex = true;
      named = this.#index();
      if (this.#take('*')) {
        const size = this.#sizeArgument();
        if (size === undefined) problem += '%!(BADPREC)';
        else if (size >= 0) precision = size;
        named = false;
      } else precision = this.#number() ?? 0;
    }
    if (!named) this.#index();
    return problem + this.#verb({ ...flags, width, minus, precision });
  }

  #flags(): Partial<FormatFlags> {
    const found = /[-+# 0]*/y;
    found.lastIndex = this.#at;
    const text = found.exec(this.#format)?.[0] ?? '';
    this.#at += text.length;
    return {
      plus: text.includes('+'),
      minus: text.includes('-'),
      sharp: text.includes('#'),
      space: text.includes(' '),
      zero: text.includes('0'),
    };
  }

  #verb(flags: FormatFlags): string {
    const code = this.#format.codePointAt(this.#at);
    if (code === undefined) return '%!(NOVERB)';
    const verb = String.fromCodePoint(code);
    this.#at += verb.length;
    if (verb === '%') return '%';
    if (this.#badIndex) return `%!${verb}(BADINDEX)`;
    if (this.#next >= this.#args.length) return `%!${verb}(MISSING)`;
    const arg = this.#args[this.#next++];
    if (verb !== 'v') return formatValue(arg, verb, flags);
    const { plus: names, sharp: source } = flags;
    return formatValue(arg, verb, { ...flags, names, source, plus: false, sharp: false });
  }

  /** `[3]`: the argument that comes next. Answers whether there was one. */
  #index(): boolean {
    if (this.#format[this.#at] !== '[') return false;
    this.#reordered = true;
    const close = this.#format.indexOf(']', this.#at);
    const inside = close < 0 ? '' : this.#format.slice(this.#at + 1, close);
    this.#at = close < 0 ? this.#at + 1 : close + 1;
    const index = /^\d+$/.test(inside) ? Number(inside) : 0;
    if (index < 1 || index > this.#args.length) this.#badIndex = true;
    else this.#next = index - 1;
    return true;
  }

  #take(char: string): boolean {
    if (this.#format[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #number(): number | undefined {
    const found = /\d+/y;
    found.lastIndex = this.#at;
    const digits = found.exec(this.#format)?.[0];
    if (digits === undefined) return undefined;
    const value = Number(digits);
    // compat: what is too large ends the format.
    this.#at = value > SIZE_MAX ? this.#format.length : this.#at + digits.length;
    return value > SIZE_MAX ? undefined : value;
  }

  /** The argument that a star stands for; undefined when it is no size. */
  #sizeArgument(): number | undefined {
    const arg = this.#args[this.#next++];
    if (typeof arg !== 'bigint') return undefined;
    const size = Number(arg);
    return Math.abs(size) > SIZE_MAX ? undefined : size;
  }
}

function isNil(value: GoValue): boolean {
  return value === null || value === undefined;
}

/** One value by a verb. */
function formatValue(value: GoValue, verb: string, flags: FormatFlags): string {
  if (verb === 'T') return pad(typeOf(value), flags);
  if (isNil(value)) return verb === 'v' ? pad('<nil>', flags) : badVerb(value, verb, flags);
  if (value instanceof GoStruct && value.text !== undefined && /^[vsqxX]$/.test(verb)) {
    // %#v shows what is inside.
    const text = flags.source ? undefined : formatText(value.text(), verb, flags);
    if (text !== undefined) return text;
  }
  return formatPlain(value, verb, flags) ?? badVerb(value, verb, flags);
}

/** `%!d(string=hi)`: the value by the same flags. */
function badVerb(value: GoValue, verb: string, flags: FormatFlags): string {
  if (isNil(value)) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeOf(value)}=${formatValue(value, 'v', flags)})`;
}

function formatPlain(value: GoValue, verb: string, flags: FormatFlags): string | undefined {
  if (typeof value === 'boolean') {
    return verb === 't' || verb === 'v' ? pad(String(value), flags) : undefined;
  }
  if (typeof value === 'bigint') return formatInteger(value, verb, flags);
  if (typeof value === 'number') return formatFloat(value, verb, flags);
  if (typeof value !== 'string') return formatComposite(value, verb, flags);
  return verb === 'v' && flags.source ? pad(quoteGo(value), flags) : formatText(value, verb, flags);
}

function formatText(text: string, verb: string, flags: FormatFlags): string | undefined {
  const { precision, sharp, plus, space } = flags;
  const cut = precision === undefined ? text : Array.from(text).slice(0, precision).join('');
  if (verb === 's' || verb === 'v') return pad(cut, flags);
  if (verb === 'q') {
    // oxlint-disable-next-line no-control-regex -- what cannot stand between backquotes
    const raw = sharp && !/[\u0000-\u0008\u000a-\u001f\u007f`\ufeff\p{Cs}]/u.test(cut);
    return pad(raw ? `\`${cut}\`` : quoteGo(cut, { ascii: plus }), flags);
  }
  if (verb !== 'x' && verb !== 'X') return undefined;
  const bytes = Array.from(goBytes(text).subarray(0, precision), (byte) =>
    byte.toString(16).padStart(2, '0'),
  );
  const prefix = sharp && bytes.length > 0 ? '0x' : '';
  const digits = space ? bytes.map((byte) => prefix + byte).join(' ') : prefix + bytes.join('');
  return pad(verb === 'X' ? digits.toUpperCase() : digits, flags);
}

/** Lists, maps and structs: their parts by the same verb. */
function formatComposite(value: GoValue, verb: string, flags: FormatFlags): string | undefined {
  const part = (item: GoValue): string => formatValue(item, verb, flags);
  const { names, source } = flags;
  if (value instanceof GoList) {
    const items = value.items.map(part);
    return source ? `${value.type}{${items.join(', ')}}` : `[${items.join(' ')}]`;
  }
  if (value instanceof GoMap) {
    const sorted = sortedEntries(value).map(([key, item]) => `${part(key)}:${part(item)}`);
    return source ? `${value.type}{${sorted.join(', ')}}` : `map[${sorted.join(' ')}]`;
  }
  if (value instanceof GoStruct) {
    const fields = Object.entries(value.fields).map(([name, item]) =>
      names || source ? `${name}:${part(item)}` : part(item),
    );
    const type = value.type.replace(/^\*+/, '');
    return source ? `${type}{${fields.join(', ')}}` : `{${fields.join(' ')}}`;
  }
  return value instanceof GoFunction && verb === 'v' ? pad('func', flags) : undefined;
}

/** The entries of a map in the order in which Go prints and ranges over it. */
export function sortedEntries({ entries }: GoMap): [string, GoValue][] {
  return [...entries].toSorted(([a], [b]) => compareUtf8(a, b));
}

/** The text of a text's bytes from one on up to another. */
export function sliceBytes(text: string, from: number, to: number): string {
  return goText(goBytes(text).subarray(from, to));
}
