/**
 * The values that a template sees. JavaScript's own stand for Go's: bigint is an int (of any width), number a float64;
 * what Go has beyond them are the classes below. `null` is Go's nil, `undefined` no value at all, as a map gives for
 * a key that it does not have.
 */

/** A value of a template. */
export type GoValue =
  | undefined
  | null
  | boolean
  | bigint
  | number
  | string
  | GoList
  | GoMap
  | GoStruct
  | GoFunction;

/** A slice or an array. */
export class GoList {
  readonly items: readonly GoValue[];
  /** As Go names it, for messages and `%T`. */
  readonly type: string;

  constructor(items: readonly GoValue[], type = '[]interface {}') {
    this.items = items;
    this.type = type;
  }
}

/** A map with text keys. */
export class GoMap {
  readonly entries: ReadonlyMap<string, GoValue>;
  readonly type: string;
  /** What `index` gives for a key that is not there: the zero value of the elements. */
  readonly zero: GoValue;

  constructor(
    entries: ReadonlyMap<string, GoValue>,
    options: { readonly type?: string; readonly zero?: GoValue } = {},
  ) {
    this.entries = entries;
    this.type = options.type ?? 'map[string]interface {}';
    this.zero = options.zero ?? null;
  }
}

/** How a struct is made. */
export interface GoStructOptions {
  /** As Go names it, with stars for pointers to it. */
  readonly type: string;
  /** In Go's order, by Go's names. */
  readonly fields: Readonly<Record<string, GoValue>>;
  /** Fields of embedded structs, which are its own as well; not printed. */
  readonly promoted?: Readonly<Record<string, GoValue>>;
  readonly methods?: Readonly<Record<string, GoFunction>>;
  /** What its String method says, where it has one. */
  readonly text?: () => string;
}

/** A struct, or a pointer to one. */
export class GoStruct {
  readonly type: string;
  readonly fields: Readonly<Record<string, GoValue>>;
  readonly text: (() => string) | undefined;
  readonly #promoted: Readonly<Record<string, GoValue>>;
  readonly #methods: Readonly<Record<string, GoFunction>>;

  constructor({ type, fields, promoted = {}, methods = {}, text }: GoStructOptions) {
    this.type = type;
    this.fields = fields;
    this.text = text;
    this.#promoted = promoted;
    this.#methods =
      text === undefined ? methods : { String: new GoFunction([], () => text()), ...methods };
  }

  /** A field by name; `has` says whether there is one. */
  field(name: string): { readonly has: boolean; readonly value: GoValue } {
    for (const fields of [this.fields, this.#promoted]) {
      if (Object.hasOwn(fields, name)) return { has: true, value: fields[name] };
    }
    return { has: false, value: undefined };
  }

  /** A method by name. */
  method(name: string): GoFunction | undefined {
    return Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
  }
}

/** What a function takes at one place. */
export type ParameterType = 'any' | 'string' | 'int' | 'float64' | 'bool';

/** The rest of a signature. */
export interface FunctionOptions {
  /** The last parameter stands for any number of arguments. */
  readonly variadic?: boolean;
}

/** A function that templates can call: what it throws ends the template, with its place in front. */
export class GoFunction {
  readonly parameters: readonly ParameterType[];
  readonly variadic: boolean;
  readonly call: (...args: GoValue[]) => GoValue | Promise<GoValue>;

  constructor(
    parameters: readonly ParameterType[],
    call: (...args: GoValue[]) => GoValue | Promise<GoValue>,
    { variadic = false }: FunctionOptions = {},
  ) {
    this.parameters = parameters;
    this.variadic = variadic;
    this.call = call;
  }
}

/** The type of a value as Go's `%T` prints it. */
export function typeOf(value: GoValue): string {
  if (value === undefined || value === null) return '<nil>';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'string') return 'string';
  if (!(value instanceof GoFunction)) return value.type;
  const parameters: string[] = value.parameters.map((type) =>
    type === 'any' ? 'interface {}' : type,
  );
  if (value.variadic) parameters.push(`...${parameters.pop() ?? ''}`);
  return `func(${parameters.join(', ')}) interface {}`;
}

/** Whether a value counts as true: not false, 0, nil, or empty. */
export function isTrue(value: GoValue): boolean {
  if (value instanceof GoList) return value.items.length > 0;
  if (value instanceof GoMap) return value.entries.size > 0;
  // NaN is no zero.
  return typeof value === 'number' ? value !== 0 : Boolean(value);
}

/** JSON as Go's decoder makes it into an `any`: numbers are floats. */
export function fromJson(value: unknown): GoValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') {
    return value;
  }
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return new GoList(value.map(fromJson));
  const entries = Object.entries(value).map(([key, item]): [string, GoValue] => [
    key,
    fromJson(item),
  ]);
  return new GoMap(new Map(entries));
}
