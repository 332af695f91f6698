/** The program thanosbench: makes test data in the shape of Thanos' own tool of that name. So far only its shell. */
import { writeSync } from 'node:fs';

import manifest from '../../package.json' with { type: 'json' };

const HELP = `usage: thanosbench [<flags>] <command>

Tooling for generating and planning test blocks.

Flags:
  -h, --help     Show this help.
      --version  Show the version.

Commands:
  block plan     Plan blocks of a profile (not implemented yet).
  block gen      Generate the blocks of a plan (not implemented yet).
`;

/** What a command line leads to: one text for stdout or stderr, and the exit code. */
interface Outcome {
  readonly out?: string;
  readonly error?: string;
  readonly code: 0 | 1;
}

/** Decides what the arguments after the program's name lead to. */
export function runThanosbench(args: readonly string[]): Outcome {
  if (args.some((arg) => arg === '--help' || arg === '-h')) return { out: HELP, code: 0 };
  if (args.includes('--version')) {
    return { out: `thanosbench, version ${manifest.version}\n`, code: 0 };
  }
  const command = args.filter((arg) => !arg.startsWith('-')).slice(0, 2);
  if (command.length === 0) return failure('command not specified, try --help');
  const name = command.join(' ');
  if (name === 'block plan' || name === 'block gen') {
    return failure(`${name} is not implemented yet`);
  }
  if (name === 'block') return failure('must select a subcommand of "block": plan or gen');
  return failure(`expected command but got ${JSON.stringify(command[0])}, try --help`);
}

function failure(sentence: string): Outcome {
  return { error: `thanosbench: error: ${sentence}\n`, code: 1 };
}

if (import.meta.main) {
  const { out, error, code } = runThanosbench(process.argv.slice(2));
  if (out !== undefined) writeSync(1, out);
  if (error !== undefined) writeSync(2, error);
  process.exitCode = code;
}
