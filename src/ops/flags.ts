/**
 * Command lines in kingpin's grammar: `--x=v`, `--x v`, `--flag` and `--no-flag`, repeated flags,
 * `@file` for one argument a line, `--help`, `--help-long`, `--version`. Errors are kingpin's texts, as values:
 * nothing here prints or exits.
 */
import { readFileSync } from 'node:fs';
import { assert, must } from '../lib/assert.ts';
import { errorText } from '../lib/errors.ts';
import { helpText } from './flag-help.ts';
import type { CommandSpec, FlagSpec, FlagValue, FlagValues } from './flag-spec.ts';
import { parseFlagValue, showFlagValue, zeroValue } from './flag-value.ts';

/** What a command line says: values, a text to print on stdout, or an error for stderr and exit code 2. */
export type ParseResult =
  | { readonly kind: 'values'; readonly values: FlagValues }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'error'; readonly message: string };

/** Reads the arguments after the command's name. */
export function parseArgs(command: CommandSpec, argv: readonly string[]): ParseResult {
  try {
    return parse(command, argv);
  } catch (thrown) {
    return failure(errorText(thrown));
  }
}

function failure(reason: string): ParseResult {
  return { kind: 'error', message: `Error parsing commandline arguments: ${reason}` };
}

function parse(command: CommandSpec, argv: readonly string[]): ParseResult {
  const specs = new Map(command.flags.map((spec) => [spec.name, spec]));
  assert(specs.size === command.flags.length, 'each flag has one row');
  const { raw, special, error } = tokenize(specs, expandFiles(argv));
  if (special === 'version') return { kind: 'version' };
  if (special !== undefined) {
    return { kind: 'help', text: helpText(command, special === 'help-long') };
  }
  return error === undefined ? typedValues(command, raw) : failure(error);
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

/** What the tokens say before any value is looked at. */
interface Tokens {
  /** The texts of each flag in order. */
  readonly raw: ReadonlyMap<string, readonly string[]>;
  readonly special: 'help' | 'help-long' | 'version' | undefined;
  readonly error: string | undefined;
}

/** Walks the arguments as kingpin does: a flag's value is behind `=` or is the next argument, unless that is a flag. */
function tokenize(specs: ReadonlyMap<string, FlagSpec>, args: readonly string[]): Tokens {
  const raw = new Map<string, string[]>();
  let special: Tokens['special'];
  let error: string | undefined;
  for (let i = 0; i < args.length && error === undefined; i++) {
    const arg = args[i] as string;
    if (!arg.startsWith('--') || arg === '--') {
      if (arg === '-h') special ??= 'help';
      else error = strayArgument(arg === '--' ? args[i + 1] : arg, arg === '--');
      if (arg === '--') break;
      continue;
    }
    const equals = arg.indexOf('=');
    const name = arg.slice(2, equals < 0 ? undefined : equals);
    let value = equals < 0 ? undefined : arg.slice(equals + 1);
    const { spec, text } = findFlag(specs, name);
    if (spec === undefined) {
      if (name === 'help' || name === 'help-long' || name === 'version') special ??= name;
      else error = `unknown long flag '--${name}'`;
      continue;
    }
    if (spec.kind === 'bool') {
      if (value !== undefined) error = `unexpected ${value}`;
      value = text;
    } else if (value === undefined) {
      value = args[i + 1];
      if (value === undefined || value.startsWith('-')) {
        error = `expected argument for flag '--${name}'`;
        continue;
      }
      i++;
    }
    raw.set(spec.name, [...(raw.get(spec.name) ?? []), value]);
  }
  return { raw, special, error };
}

/** The flag of a name, and what it says when it is a bool: `--no-x` says false of x. */
function findFlag(
  specs: ReadonlyMap<string, FlagSpec>,
  name: string,
): { spec: FlagSpec | undefined; text: string } {
  const spec = specs.get(name);
  if (spec !== undefined) return { spec, text: 'true' };
  const negated = name.startsWith('no-') ? specs.get(name.slice(3)) : undefined;
  return { spec: negated?.kind === 'bool' ? negated : undefined, text: 'false' };
}

function strayArgument(arg: string | undefined, afterDashes: boolean): string | undefined {
  if (arg === undefined) return undefined;
  const short = !afterDashes && arg.startsWith('-');
  return short ? `unknown short flag '${arg.slice(0, 2)}'` : `unexpected ${arg}`;
}

function typedValues(command: CommandSpec, raw: Tokens['raw']): ParseResult {
  const values = new Map<string, FlagValue[]>();
  for (const spec of command.flags) {
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
  return { kind: 'values', values: new TableValues(command.flags, values, new Set(raw.keys())) };
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
