/**
 * Command lines in kingpin's grammar: `--x=v`, `--x v`, `-x v`, `--flag` and `--no-flag`, repeated flags, commands
 * below commands, `@file` for one argument a line, `--help`, `--help-long`, `--version`. Errors are kingpin's texts, as
 * values: nothing here prints or exits.
 */
import { readFileSync } from 'node:fs';
import { assert, must } from '../lib/assert.ts';
import { errorText } from '../lib/errors.ts';
import { helpText } from './flag-help.ts';
import type { CommandSpec, FlagSpec, FlagValue, FlagValues } from './flag-spec.ts';
import { flagsOf, tokenize } from './flag-tokens.ts';
import type { Tokens } from './flag-tokens.ts';
import { parseFlagValue, showFlagValue, zeroValue } from './flag-value.ts';

/** What a command line says: values, a text to print on stdout, or an error for stderr and exit code 2. */
export type ParseResult =
  | {
      readonly kind: 'values';
      readonly values: FlagValues;
      /** The names of the commands chosen below the root, as in `tools bucket ls`; '' when there are none. */
      readonly command: string;
    }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'error'; readonly message: string };

/** Reads the arguments after the name of a command that stands alone, or of the root of a tree of commands. */
export function parseArgs(root: CommandSpec, argv: readonly string[]): ParseResult {
  try {
    return parse(root, argv);
  } catch (thrown) {
    return failure(errorText(thrown));
  }
}

function failure(reason: string): ParseResult {
  return { kind: 'error', message: `Error parsing commandline arguments: ${reason}` };
}

function parse(root: CommandSpec, argv: readonly string[]): ParseResult {
  const tokens = tokenize(root, expandFiles(argv));
  const { special, error, path } = tokens;
  if (special === 'version') return { kind: 'version' };
  if (special !== undefined) return { kind: 'help', text: helpText(path, special === 'help-long') };
  return error === undefined ? typedValues(tokens) : failure(error);
}

/** Replaces `@file` by the file's lines. kingpin expands once: a line that starts with @ stays as it is. */
function expandFiles(argv: readonly string[]): string[] {
  return argv.flatMap((arg) => {
    if (!arg.startsWith('@')) return [arg];
    const lines = readFileSync(arg.slice(1), 'utf8').split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    return lines;
  });
}

function typedValues({ raw, path }: Tokens): ParseResult {
  const flags = flagsOf(path);
  const values = new Map<string, FlagValue[]>();
  for (const spec of flags) {
    const given = raw.get(spec.name);
    if (given !== undefined && given.length > 1 && spec.repeatable !== true) {
      return failure(`flag '${spec.name}' cannot be repeated`);
    }
    const fallback = spec.default === undefined ? [] : [spec.default].flat();
    try {
      const texts = given ?? fallback;
      values.set(
        spec.name,
        texts.map((text) => parseFlagValue(spec, text)),
      );
    } catch (thrown) {
      return failure(`flag '--${spec.name}': ${errorText(thrown)}`);
    }
  }
  const missing = flags.filter(({ name, required }) => required === true && !raw.has(name));
  if (missing.length > 0) {
    const names = missing.map(({ name }) => `'--${name}'`);
    return failure(`required flag(s) ${names.join(', ')} not provided`);
  }
  return {
    kind: 'values',
    values: new TableValues(flags, values, new Set(raw.keys())),
    command: path
      .slice(1)
      .map(({ name }) => name)
      .join(' '),
  };
}

/** The values of a table. Asking for a flag that the table lacks, or with the wrong type, is a bug. */
class TableValues implements FlagValues {
  readonly #specs: readonly FlagSpec[];
  readonly #values: ReadonlyMap<string, readonly FlagValue[]>;
  readonly #given: ReadonlySet<string>;

  constructor(
    specs: readonly FlagSpec[],
    values: ReadonlyMap<string, readonly FlagValue[]>,
    given: ReadonlySet<string>,
  ) {
    this.#specs = specs;
    this.#values = values;
    this.#given = given;
  }

  string(name: string): string {
    const value = this.#one(name);
    assert(typeof value === 'string', 'the flag is text');
    return value;
  }

  strings(name: string): readonly string[] {
    return must(this.#values.get(name), 'the flag is in the table').map(String);
  }

  bool(name: string): boolean {
    const value = this.#one(name);
    assert(typeof value === 'boolean', 'the flag is a bool');
    return value;
  }

  number(name: string): number {
    const value = this.#one(name);
    assert(typeof value === 'number', 'the flag is a number');
    return value;
  }

  isSet(name: string): boolean {
    return this.#given.has(name);
  }

  show(): Record<string, string> {
    const out: Record<string, string> = {};
    for (const spec of this.#specs.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const values = this.#values.get(spec.name) ?? [];
      const shown = spec.repeatable === true ? values : [values[0] ?? zeroValue(spec.kind)];
      out[spec.name] = shown.map((value) => showFlagValue(spec, value)).join(',');
    }
    return out;
  }

  #one(name: string): FlagValue {
    const values = must(this.#values.get(name), 'the flag is in the table');
    const spec = must(
      this.#specs.find((s) => s.name === name),
      'the flag is in the table',
    );
    return values[0] ?? zeroValue(spec.kind);
  }
}
