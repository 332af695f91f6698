/** The `--help` of a command, in kingpin's columns. */
import { must } from '../lib/assert.ts';
import type { CommandSpec, FlagSpec } from './flag-spec.ts';
import { flagsOf } from './flag-tokens.ts';

/**
 * The help of the last command of a path from the root of a tree: its flags and those above it under the headings of
 * their groups, then the commands below it. The long one also shows hidden flags.
 */
export function helpText(path: readonly CommandSpec[], long: boolean): string {
  const command = must(path.at(-1), 'a path has a root');
  const name = path.map((each) => each.name).join(' ');
  const shown = flagsOf(path).filter((spec) => long || spec.hidden !== true);
  const groups = new Map<string, FlagSpec[]>([['Flags', []]]);
  for (const spec of shown) {
    const group = spec.group ?? 'Flags';
    groups.set(group, [...(groups.get(group) ?? []), spec]);
  }
  const more = command.commands === undefined ? '' : ' <command> [<args> ...]';
  const required = command.flags
    .filter((spec) => spec.required)
    .map((spec) => ` --${spec.name}=${flagPlaceholder(spec)}`);
  const out = [`usage: ${name}${required.join('')} [<flags>]${more}`, '', command.description];
  for (const [heading, specs] of groups) {
    const rows = specs.map((spec): [string, string] => [flagUsage(spec), spec.help]);
    if (heading === 'Flags') {
      rows.unshift(
        ['-h, --[no-]help', 'Show help; --help-long also shows hidden flags.'],
        ['    --[no-]version', 'Show application version.'],
      );
    }
    out.push('', `${heading}:`, ...helpRows(rows));
  }
  if (command.commands !== undefined) {
    out.push('', path.length === 1 ? 'Commands:' : 'Subcommands:');
    const prefix = path.slice(1).map((each) => `${each.name} `);
    out.push(...commandRows(command.commands, prefix.join('')));
  }
  return `${out.join('\n')}\n`;
}

/** Each command that can be run, by its words behind the program's name, with its description below. */
function commandRows(commands: readonly CommandSpec[], prefix: string): string[] {
  return commands.flatMap((command) => {
    const name = `${prefix}${command.name}`;
    if (command.commands !== undefined) return commandRows(command.commands, `${name} `);
    const lines = wrap(command.description, 76).map((line) => `    ${line}`);
    return [`  ${name} [<flags>]`, ...lines, ''];
  });
}

function flagUsage(spec: FlagSpec): string {
  const short = spec.short === undefined ? '    ' : `-${spec.short}, `;
  if (spec.kind === 'bool') return `${short}--[no-]${spec.name}`;
  const more = spec.repeatable === true ? ' ...' : '';
  return `${short}--${spec.name}=${flagPlaceholder(spec)}${more}`;
}

/** compat: kingpin shows the placeholder, else the first default (strings quoted), else the name in capitals. */
function flagPlaceholder(spec: FlagSpec): string {
  if (spec.placeholder !== undefined) return spec.placeholder;
  const defaults = spec.default === undefined ? [] : [spec.default].flat();
  const [first] = defaults;
  if (first === undefined) return spec.name.toUpperCase();
  const more = defaults.length > 1 ? '...' : '';
  return (spec.kind === 'string' ? JSON.stringify(first) : first) + more;
}

/** Two columns of 80 characters in all; a long left side stands on a line of its own. */
function helpRows(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.min(30, Math.max(...rows.map(([usage]) => usage.length)) + 4);
  const out: string[] = [];
  for (const [usage, help] of rows) {
    const lines = wrap(help, 80 - left);
    const head = `  ${usage}`;
    if (head.length + 2 > left) out.push(head);
    else out.push(head.padEnd(left) + (lines.shift() ?? ''));
    for (const line of lines) out.push(' '.repeat(left) + line);
  }
  return out;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return line === '' ? lines : [...lines, line];
}
