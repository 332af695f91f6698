/** `thanos tools bucket inspect`: a table of the blocks of a bucket. */
import { CodedError, errorText } from '../lib/errors.ts';
import { parseLabels } from '../ops/flag-labels.ts';
import { writeStdout } from '../ops/stdout.ts';
import { INSPECT_COLUMNS, inspectTable } from '../components/tools/inspect-blocks.ts';
import { TABLE_LAYOUTS } from '../components/tools/text-table.ts';
import type { Command, CommandContext } from './command-tree.ts';
import { TIMEOUT_FLAG, withBlocks } from './tools-bucket-blocks.ts';

const LAYOUTS = ['table', 'tsv', 'csv'] as const;

/** `thanos tools bucket inspect`. */
export const inspectCommand: Command = {
  name: 'inspect',
  description: 'Inspect all blocks in the bucket in detailed, table-like way.',
  flags: [
    {
      name: 'selector',
      short: 'l',
      kind: 'string',
      repeatable: true,
      placeholder: '<name>=\\"<value>\\"',
      help: `Select blocks by an external label, e.g. -l 'key="value"'; repeated, all must match.`,
    },
    {
      name: 'sort-by',
      kind: 'enum',
      values: INSPECT_COLUMNS,
      repeatable: true,
      default: ['FROM', 'UNTIL'],
      help: `Column to sort by; repeated, later ones decide between rows that are equal in those before. Columns are ${INSPECT_COLUMNS.join(', ')}.`,
    },
    TIMEOUT_FLAG,
    {
      name: 'output',
      kind: 'enum',
      values: LAYOUTS,
      default: 'table',
      help: 'Output format for result. Currently supports table, csv, tsv.',
    },
  ],
  run,
};

async function run(context: CommandContext): Promise<void> {
  const { values } = context;
  const selector = selectorOf(values.strings('selector'));
  const sortBy = values.strings('sort-by');
  const layout = LAYOUTS.find((name) => name === values.string('output')) ?? 'table';
  await withBlocks(context, async ({ metas }) => {
    const table = inspectTable(metas.values(), { selector, sortBy });
    await writeStdout(TABLE_LAYOUTS[layout](table));
  });
}

/** Labels of the flag, those with an empty value too: blocks must have them so. */
function selectorOf(texts: readonly string[]): [string, string][] {
  try {
    return texts.map((text) => {
      const [[name, value] = ['', '']] = parseLabels([text]);
      return name === '' ? [text.slice(0, text.indexOf('=')), ''] : [name, value];
    });
  } catch (thrown) {
    const message = `error parsing selector flag: ${errorText(thrown)}`;
    throw new CodedError('bad_data', message, { cause: thrown });
  }
}
