/** `thanos all` of the crash tests: its files forget what was not fsynced when the process is killed. */
import { join } from 'node:path';
import { run } from '../../src/cmd/all.ts';
import { allCommand } from '../../src/cmd/all-flags.ts';
import { errorText } from '../../src/lib/errors.ts';
import { Random } from '../../src/lib/prng.ts';
import { parseArgs } from '../../src/ops/flags.ts';
import { dropUnsynced } from './synced-sizes.ts';

const build = {
  version: 'crash-test',
  revision: '',
  branch: '',
  buildUser: '',
  buildDate: '',
  goVersion: '',
};

const parsed = parseArgs(allCommand, process.argv.slice(3));
if (parsed.kind !== 'values') throw new Error('usage: dropping-main all <flags>');
const tsdb = join(parsed.values.string('data-dir'), 'tsdb/default-tenant');
const random = new Random(Number(process.env['DROPPING_SEED'] ?? 0));
dropUnsynced(tsdb, random, Number(process.env['DROPPING_WRITE_BACK'] ?? 0));
const workerUrl = new URL('./dropping-worker.ts', import.meta.url);
const { error } = await run(parsed.values, { build, workerUrl });
if (error !== undefined) console.error(errorText(error));
process.exit(error === undefined ? 0 : 1);
