/** `thanos tools bucket ls`: lists the blocks of a bucket. */
import { filterByTime } from '../bucket/filter-time.ts';
import { systemClock } from '../lib/clock.ts';
import { readPathOrContent } from '../lib/path-or-content.ts';
import { parseTimeOrDuration, resolveTime } from '../lib/time-or-duration.ts';
import type { FlagValues } from '../ops/flag-spec.ts';
import { writeStdout } from '../ops/stdout.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import type { Command, CommandContext } from './command-tree.ts';
import { configFlags, configOf } from './config-flags.ts';
import { TIMEOUT_FLAG, withBlocks } from './tools-bucket-blocks.ts';
import type { BucketBlocks } from './tools-bucket-blocks.ts';
import { blockPrinter } from '../components/tools/print-blocks.ts';
import { filterByRelabeling } from '../bucket/filter-relabel.ts';
import { SELECTOR_ACTIONS, parseRelabelConfig } from '../model/relabel-config.ts';
import { filterDeletionMarks } from '../bucket/filter-deletion-marks.ts';

const TIME_HELP =
  'A time in RFC 3339 or a duration from now, such as -1d or 2h45m; units are ms, s, m, h, d, w, y.';

/** `thanos tools bucket ls`. */
export const lsCommand: Command = {
  name: 'ls',
  description: 'List all blocks in the bucket.',
  flags: [
    ...configFlags(
      'selector.relabel-config',
      'relabeling rules in YAML that select blocks by their external labels and __block_id; actions are keep, drop and hashmod',
    ),
    {
      name: 'output',
      short: 'o',
      kind: 'string',
      default: '',
      help: "Optional format in which to print each block's information. Options are 'json', 'wide' or a custom template.",
    },
    {
      name: 'exclude-delete',
      kind: 'bool',
      help: 'Exclude blocks marked for deletion.',
    },
    {
      name: 'min-time',
      kind: 'time',
      default: '0000-01-01T00:00:00Z',
      help: `List only blocks that end at this time or later. ${TIME_HELP}`,
    },
    {
      name: 'max-time',
      kind: 'time',
      default: '9999-12-31T23:59:59Z',
      help: `List only blocks that begin at this time or earlier. ${TIME_HELP}`,
    },
    TIMEOUT_FLAG,
  ],
  run,
};

async function run(context: CommandContext): Promise<void> {
  const { values, log } = context;
  // What is wrong with the flags is said before anything is fetched.
  const rules = await selectorOf(values);
  const print = await blockPrinter(values.string('output'));
  await withBlocks(context, async (blocks) => {
    const now = systemClock.now();
    const selected = filterByTime(filterByRelabeling(blocks.metas, rules), {
      mint: timeOf(values, 'min-time', now),
      maxt: timeOf(values, 'max-time', now),
    });
    const metas = values.bool('exclude-delete')
      ? await withoutMarked({ ...blocks, metas: selected }, context, now)
      : selected;
    for (const meta of metas.values()) await writeStdout(await print(meta));
    log.info('ls done', { objects: metas.size });
  });
}

async function selectorOf(values: FlagValues) {
  const source = await readPathOrContent(configOf(values, 'selector.relabel-config'));
  if (source === undefined) return [];
  return parseRelabelConfig(source, SELECTOR_ACTIONS);
}

function timeOf(values: FlagValues, name: string, now: number): number {
  return resolveTime(parseTimeOrDuration(values.string(name)), now);
}

async function withoutMarked(
  { bucket, metas, signal }: BucketBlocks,
  { log }: CommandContext,
  now: number,
): Promise<Map<string, BlockMeta>> {
  const result = await filterDeletionMarks(bucket, metas, { delayMs: 0, now, log, signal });
  return result.metas;
}
