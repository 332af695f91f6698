/** `thanosbench block plan`: prints the blocks of a profile, for `block gen` to make. */
import { PROFILES } from '../components/bench/profiles.ts';
import { throwIfAborted } from '../lib/abort.ts';
import { must } from '../lib/assert.ts';
import { parseTimeOrDuration, resolveTime } from '../lib/time-or-duration.ts';
import { parseLabels } from '../ops/flag-labels.ts';
import { writeStdout } from '../ops/stdout.ts';
import type { Command, CommandContext } from './command-tree.ts';
import { planBlocks } from '../components/bench/plan.ts';
import { DOCUMENT_SEPARATOR, printBlockSpec } from '../components/bench/write-plan.ts';

/** `thanosbench block plan`. */
export const planCommand: Command = {
  name: 'plan',
  description:
    'Print the blocks of a profile as YAML, one document a block, for `block gen`: `thanosbench block plan -p continuous-30d-tiny --labels \'cluster="one"\' --max-time=6h | thanosbench block gen --output.dir=./blocks`.',
  flags: [
    {
      name: 'profile',
      short: 'p',
      kind: 'enum',
      values: [...PROFILES.keys()],
      required: true,
      placeholder: 'PROFILE',
      help: `What the blocks look like: ${[...PROFILES.keys()].join(', ')}.`,
    },
    {
      name: 'max-time',
      kind: 'time',
      default: '30m',
      help: 'Where the newest block ends, moved on to the next even hour: a time in RFC 3339, or a duration from now (6h lies ahead, -6h in the past).',
    },
    {
      name: 'labels',
      kind: 'string',
      repeatable: true,
      placeholder: '<name>="<value>"',
      help: 'External labels of the blocks (repeated).',
    },
  ],
  run,
};

async function run({ values, signal }: CommandContext): Promise<void> {
  const externalLabels = [...parseLabels(values.strings('labels'))];
  const profile = must(PROFILES.get(values.string('profile')), 'the flag names a profile');
  const maxTime = resolveTime(parseTimeOrDuration(values.string('max-time')), Date.now());
  let separator = '';
  for (const block of planBlocks(profile, { externalLabels, maxTime })) {
    throwIfAborted(signal);
    await writeStdout(separator + printBlockSpec(block));
    separator = DOCUMENT_SEPARATOR;
  }
}
