/** The program thanos: picks the command, reads its flags, runs it, and turns its end into an exit code. */
import { writeSync } from 'node:fs';
import manifest from '../../package.json' with { type: 'json' };
import { errorText } from '../lib/errors.ts';
import type { CommandSpec, FlagValues } from '../ops/flag-spec.ts';
import { parseArgs } from '../ops/flags.ts';
import { RUNTIME_VERSION } from '../ops/runtime-version.ts';
import type { RunOutcome } from '../ops/run-group.ts';
import { commandIndex } from './command-word.ts';
import type { ProgramFacts } from './program-facts.ts';

/** Commands of the Go program that this version does not have. */
const NOT_YET: readonly string[] = [
  'sidecar',
  'query',
  'query-frontend',
  'receive',
  'compact',
  'rule',
];

const HELP = `usage: thanos [<flags>] <command>

A highly available Prometheus with unlimited retention over many clusters.

Flags:
  -h, --help     Show this help; \`thanos <command> --help\` shows the flags of a command.
      --version  Show the version.

Commands:
  all    Run every component in one process: remote write, storage, queries, StoreAPI and HTTP API.
  store  Serve the blocks of an object store to queries.
  tools  Tools utility commands: \`thanos tools --help\` lists them.

Not implemented yet: ${NOT_YET.join(', ')}.
`;

/** What the build knows about itself. */
const build = {
  version: manifest.version,
  revision: process.env['THANOS_BUILD_REVISION'] ?? '',
  branch: '',
  buildUser: '',
  buildDate: '',
  goVersion: RUNTIME_VERSION,
};

/** Exit codes: 2 for a command line that is wrong, 1 for everything else that fails. */
async function main(args: readonly string[]): Promise<number> {
  const [first] = args;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    writeSync(first === undefined ? 2 : 1, HELP);
    return first === undefined ? 2 : 0;
  }
  if (first === '--version') return printVersion();
  const at = commandIndex(args);
  const command = args[at];
  if (command === undefined) {
    return refuse(2, 'Error parsing commandline arguments: command not specified');
  }
  const rest = args.toSpliced(at, 1);
  // Each command brings much along that the others do without.
  if (command === 'all') return runServer(await import('./all.ts'), rest);
  if (command === 'store') return runServer(await import('./store.ts'), rest);
  if (command === 'tools') {
    const { runTools } = await import('./tools.ts');
    return runTools({ version: versionText(), out, err }, args);
  }
  if (NOT_YET.includes(command)) return refuse(1, `${command} is not implemented yet`);
  return refuse(
    2,
    `Error parsing commandline arguments: expected command but got ${JSON.stringify(command)}`,
  );
}

/** A command that runs until a signal. */
interface ServerCommand {
  readonly command: CommandSpec;
  readonly run: (values: FlagValues, program: ProgramFacts) => Promise<RunOutcome>;
}

async function runServer(
  { command, run }: ServerCommand,
  args: readonly string[],
): Promise<number> {
  const parsed = parseArgs(command, args);
  if (parsed.kind === 'error') return refuse(2, parsed.message);
  if (parsed.kind === 'version') return printVersion();
  if (parsed.kind === 'help') {
    out(parsed.text);
    return 0;
  }
  const isSource = import.meta.url.endsWith('.ts');
  const workerUrl = new URL(isSource ? './worker.ts' : './worker.js', import.meta.url);
  const { error, forced } = await run(parsed.values, { build, workerUrl });
  if (error !== undefined) return refuse(1, errorText(error));
  return forced ? 1 : 0;
}

const out = (text: string): void => void writeSync(1, text);
const err = (text: string): void => void writeSync(2, text);

function printVersion(): number {
  out(versionText());
  return 0;
}

function versionText(): string {
  return `thanos, version ${build.version} (branch: ${build.branch}, revision: ${build.revision})\n  platform: ${process.platform}/${process.arch}\n  node version: ${process.versions.node}\n`;
}

function refuse(code: number, sentence: string): number {
  writeSync(2, `thanos: error: ${sentence.replaceAll('\n', ' ')}\n`);
  return code;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  process.exitCode = refuse(2, errorText(thrown));
}
process.exit();
