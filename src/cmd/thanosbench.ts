/** The program thanosbench: makes test data in the shape of Thanos' own tool of that name. */
import { writeSync } from 'node:fs';
import manifest from '../../package.json' with { type: 'json' };
import { CodedError, errorText } from '../lib/errors.ts';
import type { CommandSpec } from '../ops/flag-spec.ts';
import { LOG_LEVELS } from '../ops/log.ts';
import { runProgram } from './command-tree.ts';
import type { Command, CommandGroup } from './command-tree.ts';
import { genCommand } from './thanosbench-gen.ts';
import { planCommand } from './thanosbench-plan.ts';

const flags: CommandSpec['flags'] = [
  {
    name: 'log.level',
    kind: 'enum',
    values: LOG_LEVELS,
    default: 'info',
    help: 'Log filtering level.',
  },
  {
    name: 'log.format',
    kind: 'enum',
    values: ['logfmt', 'json'],
    default: 'logfmt',
    help: 'Log format to use.',
  },
];

/** A command of the Go program that this version does not have. */
function notYet(name: string, description: string): Command {
  return {
    name,
    description: `${description} Not implemented yet.`,
    flags: [],
    unchecked: true,
    run: () => Promise.reject(new CodedError('not_implemented', `${name} is not implemented yet`)),
  };
}

/** The commands of thanosbench. */
const root: CommandGroup = {
  name: 'thanosbench',
  description: 'Tooling for planning and generating test blocks.',
  flags,
  commands: [
    notYet('walgen', 'Generate a write-ahead log.'),
    {
      name: 'block',
      description: 'Plan and generate TSDB blocks.',
      flags: [],
      commands: [genCommand, planCommand],
    },
    notYet('stress', 'Stress a StoreAPI.'),
  ],
};

const program = {
  root,
  version: `thanosbench, version ${manifest.version}\n`,
  out: (text: string) => void writeSync(1, text),
  err: (text: string) => void writeSync(2, text),
};

try {
  process.exitCode = await runProgram(program, process.argv.slice(2));
} catch (thrown) {
  program.err(`thanosbench: error: ${errorText(thrown)}\n`);
  process.exitCode = 2;
}
process.exit();
