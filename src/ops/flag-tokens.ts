/**
 * The words of a command line, walked as kingpin walks them: flags may stand anywhere, but those of a command are known
 * only behind its name; a flag's value is behind `=`, glued to its letter, or the next word unless that is a flag.
 */
import { assert } from '../lib/assert.ts';
import type { CommandSpec, FlagSpec } from './flag-spec.ts';

/** What the words say before any value is looked at. */
export interface Tokens {
  /** The texts of each flag in order. */
  readonly raw: ReadonlyMap<string, readonly string[]>;
  /** The commands chosen, from the root of the tree down. */
  readonly path: readonly CommandSpec[];
  readonly special: 'help' | 'help-long' | 'version' | undefined;
  readonly error: string | undefined;
}

/** Walks the arguments behind the program's name (or behind the name of a root that stands alone). */
export function tokenize(root: CommandSpec, args: readonly string[]): Tokens {
  const walk = new Walk(root, args);
  walk.run();
  return walk;
}

/** The flags of a path of commands, outermost first. */
export function flagsOf(path: readonly CommandSpec[]): FlagSpec[] {
  return path.flatMap((command) => command.flags);
}

class Walk implements Tokens {
  readonly raw = new Map<string, string[]>();
  readonly path: CommandSpec[] = [];
  special: Tokens['special'];
  error: string | undefined;
  readonly #words: string[];
  readonly #long = new Map<string, FlagSpec>();
  readonly #short = new Map<string, FlagSpec>();

  constructor(root: CommandSpec, args: readonly string[]) {
    this.#words = args.toReversed();
    this.#enter(root);
  }

  run(): void {
    let wordsOnly = false;
    while (this.error === undefined && this.path.at(-1)?.unchecked !== true) {
      const word = this.#words.pop();
      if (word === undefined) break;
      if (wordsOnly) this.#command(word);
      else if (word === '--') wordsOnly = true;
      else if (word.startsWith('--')) this.#longFlag(word.slice(2));
      else if (word.startsWith('-')) this.#shortFlag(word);
      else this.#command(word);
    }
    const last = this.path.at(-1);
    if (this.error !== undefined || last?.commands === undefined) return;
    const name = this.path.slice(1).map((command) => command.name);
    this.error =
      name.length === 0
        ? 'command not specified'
        : `must select a subcommand of '${name.join(' ')}'`;
  }

  #enter(command: CommandSpec): void {
    this.path.push(command);
    for (const spec of command.flags) {
      assert(!this.#long.has(spec.name), 'each flag has one row');
      this.#long.set(spec.name, spec);
      if (spec.short !== undefined) this.#short.set(spec.short, spec);
    }
  }

  #command(word: string): void {
    const commands = this.path.at(-1)?.commands;
    if (commands === undefined) {
      this.error = `unexpected ${word}`;
      return;
    }
    const command = commands.find(({ name }) => name === word);
    if (command !== undefined) this.#enter(command);
    else if (word === 'help' && this.path.length === 1) this.special ??= 'help';
    else this.error = `expected command but got ${JSON.stringify(word)}`;
  }

  #longFlag(word: string): void {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    const spec = this.#long.get(name);
    if (spec !== undefined) {
      this.#take(spec, `--${name}`, value, 'true');
      return;
    }
    // `--no-x` says false of x.
    const negated = name.startsWith('no-') ? this.#long.get(name.slice(3)) : undefined;
    if (negated?.kind === 'bool') this.#take(negated, `--${name}`, value, 'false');
    else if (name === 'help' || name === 'help-long' || name === 'version') this.special ??= name;
    else this.error = `unknown long flag '--${name}'`;
  }

  /** compat: `-ojson` and `-o json`; bools may be run together, as in `-abc`. kingpin gives `-o=json` the value "=json". */
  #shortFlag(word: string): void {
    const letter = String.fromCodePoint(word.codePointAt(1) ?? 0);
    const rest = word.slice(1 + letter.length);
    const spec = this.#short.get(letter);
    if (spec === undefined) {
      if (letter === 'h') this.special ??= 'help';
      else this.error = `unknown short flag '${word.slice(0, 1 + letter.length)}'`;
    } else if (spec.kind === 'bool') {
      this.#take(spec, `-${letter}`, undefined, 'true');
    } else {
      this.#take(spec, `-${letter}`, rest === '' ? undefined : rest, '');
      return;
    }
    if (rest !== '') this.#words.push(`-${rest}`);
  }

  #take(spec: FlagSpec, shown: string, value: string | undefined, bool: string): void {
    let text = value;
    if (spec.kind === 'bool') {
      if (value !== undefined) this.error = `unexpected ${value}`;
      text = bool;
    } else if (text === undefined) {
      const next = this.#words.at(-1);
      if (next === undefined || next.startsWith('-')) {
        this.error = `expected argument for flag '${shown}'`;
        return;
      }
      text = this.#words.pop() ?? '';
    }
    this.raw.set(spec.name, [...(this.raw.get(spec.name) ?? []), text]);
  }
}
