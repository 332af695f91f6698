/**
 * The functions that every template has, but for `and`, `or` and `call`, which the evaluator knows: they do not
 * evaluate all their arguments, or take functions. Behaviour and error texts: Go's text/template, funcs.go.
 */
import { goBytes } from '../go-strings.ts';
import { sliceBytes, sprint, sprintf, sprintln } from './format.ts';
import { GoFunction, GoList, GoMap, GoStruct, isTrue, typeOf } from './value.ts';
import type { GoValue } from './value.ts';

const VARIADIC = { variadic: true };

/** The functions by name. */
export const BUILTINS: ReadonlyMap<string, GoFunction> = new Map([
  ['eq', new GoFunction(['any', 'any'], equalsOneOf, VARIADIC)],
  ['ge', compares((a, b) => !isLess(a, b))],
  ['gt', compares((a, b) => !isLess(a, b) && !isEqual(a, b))],
  ['html', new GoFunction(['any'], (...args) => escapeHtml(textOf(args)), VARIADIC)],
  ['index', new GoFunction(['any', 'any'], indexOf, VARIADIC)],
  ['js', new GoFunction(['any'], (...args) => escapeJs(textOf(args)), VARIADIC)],
  ['le', compares((a, b) => isLess(a, b) || isEqual(a, b))],
  ['len', new GoFunction(['any'], lengthOf)],
  ['lt', compares(isLess)],
  ['ne', compares((a, b) => !isEqual(a, b))],
  ['not', new GoFunction(['any'], (value) => !isTrue(value))],
  ['print', new GoFunction(['any'], (...args) => sprint(args), VARIADIC)],
  [
    'printf',
    new GoFunction(
      ['string', 'any'],
      (format, ...args) => sprintf(typeof format === 'string' ? format : '', args),
      VARIADIC,
    ),
  ],
  ['println', new GoFunction(['any'], (...args) => sprintln(args), VARIADIC)],
  ['slice', new GoFunction(['any', 'any'], sliceOf, VARIADIC)],
  ['urlquery', new GoFunction(['any'], (...args) => escapeQuery(textOf(args)), VARIADIC)],
]);

function compares(test: (a: GoValue, b: GoValue) => boolean): GoFunction {
  return new GoFunction(['any', 'any'], test);
}

// ---- comparison

function equalsOneOf(first: GoValue, ...others: GoValue[]): boolean {
  if (others.length === 0) throw new Error('missing argument for comparison');
  return others.some((other) => isEqual(first, other));
}

function isEqual(a: GoValue, b: GoValue): boolean {
  if (isNil(a) || isNil(b)) return isNil(a) && isNil(b);
  const [x, y] = [basicKind(a), basicKind(b)];
  if (x !== y) throw incompatible(a, b);
  if (x !== undefined) return a === b;
  if (a instanceof GoStruct && b instanceof GoStruct) {
    return a === b || (a.type === b.type && sprintf('%#v', [a]) === sprintf('%#v', [b]));
  }
  const shown = `${sprint([b])}: ${typeOf(b)}`;
  if (kindOf(a) === kindOf(b)) throw new Error(`non-comparable type ${shown}`);
  throw new Error(
    `non-comparable types ${sprint([a])}: ${typeOf(a)}, ${typeOf(b)}: ${sprint([b])}`,
  );
}

/** Lists, maps, structs and functions by their class. */
function kindOf(value: GoValue): unknown {
  return typeof value === 'object' && value !== null ? value.constructor : undefined;
}

function isLess(a: GoValue, b: GoValue): boolean {
  const [x, y] = [basicKind(a), basicKind(b)];
  if (x === undefined || y === undefined) throw new Error('invalid type for comparison');
  if (x !== y) throw incompatible(a, b);
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b;
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeof a !== 'string' || typeof b !== 'string') {
    throw new Error('invalid type for comparison');
  }
  return Buffer.compare(goBytes(a), goBytes(b)) < 0;
}

function incompatible(a: GoValue, b: GoValue): Error {
  return new Error(`incompatible types for comparison: ${typeOf(a)} and ${typeOf(b)}`);
}

function basicKind(value: GoValue): string | undefined {
  return isNil(value) || typeof value === 'object' ? undefined : typeof value;
}

function isNil(value: GoValue): boolean {
  return value === null || value === undefined;
}

// ---- lists, maps and texts

function lengthOf(value: GoValue): bigint {
  if (typeof value === 'string') return BigInt(goBytes(value).length);
  if (value instanceof GoList) return BigInt(value.items.length);
  if (value instanceof GoMap) return BigInt(value.entries.size);
  throw new Error(isNil(value) ? 'len of nil pointer' : `len of type ${typeOf(value)}`);
}

function indexOf(value: GoValue, ...keys: GoValue[]): GoValue {
  if (isNil(value)) throw new Error('index of untyped nil');
  let item = value;
  for (const key of keys) {
    if (isNil(item)) throw new Error('index of nil pointer');
    if (item instanceof GoMap) {
      if (typeof key !== 'string') {
        throw new Error(
          isNil(key)
            ? 'value is nil; should be of type string'
            : `value has type ${typeOf(key)}; should be string`,
        );
      }
      item = item.entries.has(key) ? item.entries.get(key) : item.zero;
    } else if (item instanceof GoList) {
      const at = position(key, item.items.length);
      if (at === item.items.length) throw new Error('reflect: slice index out of range');
      item = item.items[at];
    } else if (typeof item === 'string') {
      const bytes = goBytes(item);
      const at = position(key, bytes.length);
      if (at === bytes.length) throw new Error('reflect: string index out of range');
      item = BigInt(bytes[at] ?? 0);
    } else throw new Error(`can't index item of type ${typeOf(item)}`);
  }
  return item;
}

function sliceOf(value: GoValue, ...indexes: GoValue[]): GoValue {
  if (isNil(value)) throw new Error('slice of untyped nil');
  if (indexes.length > 3) throw new Error(`too many slice indexes: ${indexes.length}`);
  const isText = typeof value === 'string';
  if (!isText && !(value instanceof GoList)) {
    throw new Error(`can't slice item of type ${typeOf(value)}`);
  }
  if (isText && indexes.length === 3) throw new Error('cannot 3-index slice a string');
  const length = isText ? goBytes(value).length : value.items.length;
  const [from = 0, to = length, limit = length] = indexes.map((index) => position(index, length));
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  if (to > limit) throw new Error(`invalid slice index: ${to} > ${limit}`);
  return isText ? sliceBytes(value, from, to) : new GoList(value.items.slice(from, to), value.type);
}

/** An index up to a length. */
function position(index: GoValue, length: number): number {
  if (typeof index !== 'bigint') {
    throw new Error(
      isNil(index)
        ? 'cannot index slice/array with nil'
        : `cannot index slice/array with type ${typeOf(index)}`,
    );
  }
  if (index < 0n || index > BigInt(length)) throw outOfRange(index);
  return Number(index);
}

function outOfRange(index: GoValue): Error {
  return new Error(`index out of range: ${sprint([index])}`);
}

// ---- escaping

/** The arguments as one text: a single text as it is. */
function textOf(args: readonly GoValue[]): string {
  // compat: nil is no value here.
  return sprint(args.map((arg) => (isNil(arg) ? '<no value>' : arg)));
}

const HTML: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

function escapeHtml(text: string): string {
  // oxlint-disable-next-line no-control-regex -- a zero byte is one of those that are replaced
  return text.replaceAll(/[\0"'&<>]/g, (char) => HTML[char] ?? char);
}

function escapeJs(text: string): string {
  return text.replaceAll(/[\\'"<>&=]|[^ -~]/gu, (char) => {
    if (char === '\\' || char === "'" || char === '"') return `\\${char}`;
    const code = char.codePointAt(0) ?? 0;
    if (code > 0x7e && /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char)) return char;
    // compat: DEL is left as it is.
    if (code === 0x7f) return char;
    return `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;
  });
}

function escapeQuery(text: string): string {
  let out = '';
  for (const byte of goBytes(text)) {
    const char = String.fromCharCode(byte);
    if (/^[A-Za-z0-9_.~-]$/.test(char)) out += char;
    else if (char === ' ') out += '+';
    else out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}
