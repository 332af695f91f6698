/**
 * The outputs of `tools bucket ls`: ULIDs, a line of facts, meta.json, or what a template makes of it. Formats: thanos
 * cmd/thanos/tools_bucket.go.
 */
import { metaPath } from '../../bucket/block-path.ts';
import { readThanos, withThanos } from '../../bucket/meta.ts';
import { CodedError, errorText } from '../../lib/errors.ts';
import { formatGoDuration } from '../../lib/go-duration.ts';
import type { BlockMeta } from '../../tsdb/block/meta.ts';
import { encodeBlockMeta } from '../../tsdb/block/meta.ts';
import { formatLocalTime } from './local-time.ts';
import { Template } from '../../lib/go-template/template.ts';
import { blockValue } from './block-value.ts';

/** Makes the text of one block, with its line feed. */
export type BlockPrinter = (meta: BlockMeta) => string | Promise<string>;

/**
 * The printer of an `--output`: '' for ULIDs, `wide`, `json`, or a Go template.
 * @throws CodedError bad_data when the template does not parse.
 */
export async function blockPrinter(output: string): Promise<BlockPrinter> {
  if (output === '') return ({ ulid }) => `${ulid}\n`;
  if (output === 'wide') return printWide;
  if (output === 'json') return printJson;
  return templatePrinter(output);
}

function printWide(meta: BlockMeta): string {
  const { ulid, compaction } = meta;
  const { downsample, source } = readThanos(meta, metaPath(ulid));
  // compat: whole seconds, cut off towards zero.
  const from = Math.trunc(meta.minTime / 1000) * 1000;
  const until = Math.trunc(meta.maxTime / 1000) * 1000;
  return (
    `${ulid} -- ${formatLocalTime(from)} - ${formatLocalTime(until)} ` +
    `Diff: ${formatGoDuration(until - from)}, Compaction: ${compaction.level}, ` +
    `Downsample: ${downsample.resolution}, Source: ${source}\n`
  );
}

function printJson(meta: BlockMeta): string {
  return encodeBlockMeta(withThanos(meta, readThanos(meta, metaPath(meta.ulid))));
}

function templatePrinter(text: string): BlockPrinter {
  let template: Template;
  try {
    template = new Template({ name: '', text });
  } catch (thrown) {
    const message = `invalid template: ${errorText(thrown)}`;
    throw new CodedError('bad_data', message, { cause: thrown });
  }
  return async (meta) => {
    try {
      return `${await template.execute(blockValue(meta, metaPath(meta.ulid)))}\n`;
    } catch (thrown) {
      const message = `execute template: ${errorText(thrown)}`;
      throw new CodedError('execution', message, { cause: thrown });
    }
  };
}
