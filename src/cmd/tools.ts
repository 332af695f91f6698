/**
 * `thanos tools`: commands that do one thing and end. A new one is a file with a {@link Command}, and its name in the list
 * of its group here.
 */
import { CodedError } from '../lib/errors.ts';
import { runProgram } from './command-tree.ts';
import type { Command, CommandGroup, Program } from './command-tree.ts';
import { objstoreFlags } from './config-flags.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { inspectCommand } from './tools-bucket-inspect.ts';
import { lsCommand } from './tools-bucket-ls.ts';

/** Commands of the Go program that this version does not have. */
const NOT_YET: Readonly<Record<string, readonly string[]>> = {
  'tools bucket': [
    'verify',
    'web',
    'replicate',
    'downsample',
    'cleanup',
    'mark',
    'rewrite',
    'retention',
    'upload-blocks',
  ],
  tools: ['rules-check'],
};

const bucketGroup: CommandGroup = {
  name: 'bucket',
  description: 'Bucket utility commands',
  flags: objstoreFlags(),
  commands: [lsCommand, inspectCommand, ...notYet('tools bucket')],
};

const toolsGroup: CommandGroup = {
  name: 'tools',
  description: 'Tools utility commands',
  flags: [],
  commands: [bucketGroup, ...notYet('tools')],
};

/** The tree that `thanos tools` and everything below it is read by. */
const root: CommandGroup = {
  name: 'thanos',
  description: 'A highly available Prometheus with unlimited retention over many clusters.',
  flags: GLOBAL_FLAGS,
  commands: [toolsGroup],
};

function notYet(group: string): Command[] {
  return (NOT_YET[group] ?? []).map((name) => ({
    name,
    description: 'Not implemented yet.',
    flags: [],
    unchecked: true,
    run: () =>
      Promise.reject(new CodedError('not_implemented', `${group} ${name} is not implemented yet`)),
  }));
}

/** Runs a command line of `thanos tools`; answers the exit code. */
export function runTools(program: Omit<Program, 'root'>, args: readonly string[]): Promise<number> {
  return runProgram({ root, ...program }, args);
}
