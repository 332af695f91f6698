/** The program thanos: picks the command, reads its flags, runs it, and turns its end into an exit code. */
import { writeSync } from 'node:fs';
import manifest from '../../package.json' with { type: 'json' };
import { errorText } from '../lib/errors.ts';
import { parseArgs } from '../ops/flags.ts';
import { RUNTIME_VERSION } from '../ops/process-metrics.ts';
import { allCommand } from './all-flags.ts';
import { runAllCommand } from './all.ts';

/** Commands of the Go program that this version does not have. */
const NOT_YET: readonly string[] = [
  'sidecar',
  'query',
  'query-frontend',
  'store',
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
  all    ${allCommand.description}
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
  const [command, ...rest] = args;
  if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
    writeSync(command === undefined ? 2 : 1, HELP);
    return command === undefined ? 2 : 0;
  }
  if (command === '--version') return printVersion();
  if (command !== 'all' && args.includes('tools')) {
    const { isToolsCommand, runTools } = await import('./tools.ts');
    if (isToolsCommand(args)) return runTools({ version: versionText(), out, err }, args);
  }
  if (NOT_YET.includes(command)) return refuse(1, `${command} is not implemented yet`);
  if (command !== 'all') {
    return refuse(
      2,
      `Error parsing commandline arguments: expected command but got ${JSON.stringify(command)}`,
    );
  }
  const parsed = parseArgs(allCommand, rest);
  if (parsed.kind === 'help') {
    writeSync(1, parsed.text);
    return 0;
  }
  if (parsed.kind === 'version') return printVersion();
  if (parsed.kind === 'error') return refuse(2, parsed.message);
  // Workers run beside this module: sources in a checkout, a bundle where the package is installed.
  const workerUrl = new URL(
    import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
    import.meta.url,
  );
  const { error, forced } = await runAllCommand(parsed.values, build, workerUrl);
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
