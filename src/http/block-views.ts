/**
 * The blocks that the blocks API shows: those that this process has loaded, and all of the bucket. Behaviour:
 * thanos pkg/api/blocks/v1.go (BlocksInfo): when a refresh failed, the view before it stays, with the error beside it.
 */
import { metaPath } from '../bucket/block-path.ts';
import { readThanos, withThanos } from '../bucket/meta.ts';
import type { Clock } from '../lib/clock.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { encodeBlockMeta } from '../tsdb/block/meta.ts';

/** The views that there are. */
export type BlockViewName = 'loaded' | 'global';

/** compat: Go's zero time, before the first refresh. */
const NEVER = '0001-01-01T00:00:00Z';

interface View {
  blocks: readonly BlockMeta[];
  refreshedAt: string;
  error: string | undefined;
  /** perf: the JSON of the blocks, made when somebody looks and kept until they change. */
  json: string | undefined;
}

/** Both views. Whoever syncs sets them, the API reads them. */
export class BlockViews {
  readonly #label: string;
  readonly #clock: Clock;
  readonly #views: Readonly<Record<BlockViewName, View>> = { loaded: noView(), global: noView() };

  /** The label is that of `--bucket-web-label`. */
  constructor(label: string, clock: Clock) {
    this.#label = label;
    this.#clock = clock;
  }

  /** Shows blocks; with an error, shows the error and what was there before. */
  set(name: BlockViewName, blocks: readonly BlockMeta[], error?: Error): void {
    const view = this.#views[name];
    view.refreshedAt = new Date(this.#clock.now()).toISOString();
    view.error = error?.message;
    if (error !== undefined) return;
    view.blocks = blocks;
    view.json = undefined;
  }

  /** The view as JSON. */
  json(name: BlockViewName): string {
    const view = this.#views[name];
    view.json ??= `[${view.blocks.map(metaJson).join(',')}]`;
    const { refreshedAt, error = null } = view;
    const label = JSON.stringify(this.#label);
    const rest = `"refreshedAt":${JSON.stringify(refreshedAt)},"err":${JSON.stringify(error)}`;
    return `{"label":${label},"blocks":${view.json},${rest}}`;
  }
}

function noView(): View {
  return { blocks: [], refreshedAt: NEVER, error: undefined, json: undefined };
}

/** The meta.json of a block on one line. compat: with Thanos' part, also where the block has none. */
function metaJson(meta: BlockMeta): string {
  const whole = withThanos(meta, readThanos(meta, metaPath(meta.ulid)));
  // Texts hold no line feeds in JSON, so these are all between members.
  return encodeBlockMeta(whole).replaceAll(/\n\t*/g, '');
}
