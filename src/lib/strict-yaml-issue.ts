/** What zod finds wrong, in our words: `expected a list, is a text`, `unknown field, expected directory`. */
import type { z, ZodType } from 'zod';

/** Kinds of values, as a person who writes YAML knows them. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  object: 'a mapping',
  record: 'a mapping',
  map: 'a mapping',
  array: 'a list',
  tuple: 'a list',
};

/** The sentence about one issue other than an unknown field; `value` is what is there. */
export function issueText(issue: z.core.$ZodIssue, value: unknown): string {
  const { code } = issue;
  if (code === 'invalid_type') return wantedKind([issue.expected], value);
  if (code === 'invalid_value') {
    return `expected ${oneOf(issue.values.map(String))}, is ${shown(value)}`;
  }
  if (code === 'invalid_union') {
    const inner = issue.errors.flat();
    const kinds = inner.flatMap((one) =>
      one.code === 'invalid_type' && one.path.length === 0 ? [one.expected] : [],
    );
    if (kinds.length === issue.errors.length) return wantedKind(kinds, value);
    const [first] = inner;
    if (first !== undefined) return issueText(first, value);
  }
  // Sentences that schemas bring along.
  return issue.message;
}

function wantedKind(expected: readonly string[], value: unknown): string {
  const kinds = oneOf(expected.map((kind) => KINDS[kind] ?? kind));
  return value === undefined
    ? `missing, expected ${kinds}`
    : `expected ${kinds}, is ${kindOf(value)}`;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return value === '' ? 'empty' : 'a text';
  return Array.isArray(value) ? 'a list' : 'a mapping';
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : kindOf(value);
}

/** limit: an edit distance up to which a name is taken for a misspelling. */
const MISSPELT_MAX = 2;

/** `expected …`: the field that was probably meant, or else all that there are. */
export function expectedFields(
  schema: ZodType,
  path: readonly (string | number)[],
  unknown: string | number | undefined,
): string {
  const fields = fieldsAt(schema, path);
  const name = String(unknown);
  const close = fields.filter((field) => distance(field, name) <= MISSPELT_MAX);
  const named = close.length > 0 ? close : fields;
  return named.length === 0 ? 'expected none' : `expected ${oneOf(named)}`;
}

/** `a`, `a or b`, `a, b or c`. */
function oneOf(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} or ${last}`;
}

/** The parts of zod's schemas that lead to others. */
interface SchemaDefinition {
  readonly shape?: Readonly<Record<string, ZodType>>;
  readonly innerType?: ZodType;
  readonly element?: ZodType;
  readonly valueType?: ZodType;
  readonly in?: ZodType;
  readonly options?: readonly ZodType[];
}

/** The names of the fields that a mapping may have. */
function fieldsAt(schema: ZodType, path: readonly (string | number)[]): string[] {
  const {
    shape,
    innerType,
    element,
    valueType,
    in: input,
    options,
  } = schema.def as SchemaDefinition;
  const wrapped = innerType ?? input;
  if (wrapped !== undefined) return fieldsAt(wrapped, path);
  if (options !== undefined) return options.flatMap((option) => fieldsAt(option, path));
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(shape ?? {});
  const inner = shape?.[key] ?? element ?? valueType;
  return inner === undefined ? [] : fieldsAt(inner, rest);
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const substituted = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(substituted, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
