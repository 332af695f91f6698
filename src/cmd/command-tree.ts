/**
 * Commands below commands: a tree of flag tables whose leaves can be run. A new command is one file that exports a
 * {@link Command}, and its name in the list of the group above it.
 */
import { must } from '../lib/assert.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { type Tracer, nopTracer } from '../lib/tracing.ts';
import type { CommandSpec, FlagValues } from '../ops/flag-spec.ts';
import { parseArgs } from '../ops/flags.ts';
import { OutputClosedError } from '../ops/stdout.ts';
import { GLOBAL_FLAGS } from './global-flags.ts';
import { commandLogger, commandTracing, memoryBudget } from './process-setup.ts';

/** What a running command may use. */
export interface CommandContext {
  readonly values: FlagValues;
  readonly log: Logger;
  readonly tracer: Tracer;
  /** Aborted by SIGINT and SIGTERM: the command then cleans up and throws. */
  readonly signal: AbortSignal;
}

/** A command that can be run. */
export interface Command extends CommandSpec {
  /** Resolves when its work is done; what it throws is printed as one sentence, and the exit code is 1. */
  run(context: CommandContext): Promise<void>;
}

/** A command that only holds others. */
export interface CommandGroup extends CommandSpec {
  readonly commands: readonly (Command | CommandGroup)[];
}

/** A program with such commands, and where its words go. */
export interface Program {
  readonly root: CommandGroup;
  readonly version: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Exit codes: 2 for a command line that is wrong, 1 for everything else that fails, 141 when nobody reads. */
export async function runProgram(program: Program, args: readonly string[]): Promise<number> {
  const { root, out, err } = program;
  const refuse = (code: number, sentence: string): number => {
    err(`${root.name}: error: ${sentence.replaceAll('\n', ' ')}\n`);
    return code;
  };
  const parsed = parseArgs(root, args);
  if (parsed.kind === 'error') return refuse(2, parsed.message);
  if (parsed.kind !== 'values') {
    out(parsed.kind === 'help' ? parsed.text : program.version);
    return 0;
  }
  const { values } = parsed;
  // Programs without the global flags of thanos have those of the log at least.
  const isThanos = root.flags === GLOBAL_FLAGS;
  const log = commandLogger(values, isThanos);
  for (const { name } of root.flags.filter(({ idle }) => idle === true)) {
    if (values.isSet(name)) log.warn('flag has no effect yet', { flag: `--${name}` });
  }
  try {
    if (isThanos) memoryBudget(values, log);
    const tracing = isThanos ? await commandTracing(values, log) : undefined;
    const tracer = tracing?.tracer ?? nopTracer;
    try {
      await runUntilSignal(findCommand(root, parsed.command), { values, log, tracer });
    } finally {
      await tracing?.close();
    }
    return 0;
  } catch (thrown) {
    // As a program that SIGPIPE ends.
    if (thrown instanceof OutputClosedError) return 141;
    return refuse(1, errorText(thrown));
  }
}

function findCommand(root: CommandGroup, path: string): Command {
  let below: CommandGroup['commands'] = root.commands;
  for (const word of path.split(' ')) {
    const next = must(
      below.find(({ name }) => name === word),
      'the parser chose a command of the tree',
    );
    if ('run' in next) return next;
    below = next.commands;
  }
  throw new Error('BUG: the parser chose a group of commands');
}

/** Runs a command; the first signal aborts it, the second one ends the process as if nobody listened. */
async function runUntilSignal(
  command: Command,
  context: Omit<CommandContext, 'signal'>,
): Promise<void> {
  const { log } = context;
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void => {
    unlisten();
    log.info('caught signal. Exiting.', { signal });
    controller.abort(new CodedError('canceled', `stopped by ${signal}`));
  };
  const unlisten = (): void => {
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    await command.run({ ...context, signal: controller.signal });
  } finally {
    unlisten();
  }
}
