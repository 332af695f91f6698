/** The `--help` of a command, in kingpin's columns. */
import type { CommandSpec, FlagSpec } from './flag-spec.ts';

/** The help of a command under the headings of its groups; the long one also shows hidden flags. */
export function helpText(command: CommandSpec, long: boolean): string {
  const shown = command.flags.filter((spec) => long || spec.hidden !== true);
  const groups = new Map<string, FlagSpec[]>([['Flags', []]]);
  for (const spec of shown) {
    const group = spec.group ?? 'Flags';
    groups.set(group, [...(groups.get(group) ?? []), spec]);
  }
  const out = [`usage: ${command.name} [<flags>]`, '', command.description];
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
  return `${out.join('\n')}\n`;
}

function flagUsage(spec: FlagSpec): string {
  if (spec.kind === 'bool') return `    --[no-]${spec.name}`;
  const more = spec.repeatable === true ? ' ...' : '';
  return `    --${spec.name}=${flagPlaceholder(spec)}${more}`;
}

/** compat: kingpin shows the placeholder, else the default (strings quoted), else the name in capitals. */
function flagPlaceholder(spec: FlagSpec): string {
  if (spec.placeholder !== undefined) return spec.placeholder;
  const [first] = spec.default === undefined ? [] : [spec.default].flat();
  if (first === undefined) return spec.name.toUpperCase();
  return spec.kind === 'string' ? JSON.stringify(first) : first;
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
