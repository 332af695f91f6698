/** The blocks in a TSDB's directory. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { CodedError, errorCode, errorText } from '../lib/errors.ts';
import { compareUtf8 } from '../lib/utf8.ts';
import { isUlid } from '../model/ulid.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { readLocalMeta } from './block-files.ts';

/** A block in a directory. */
export interface LocalBlock {
  /** Its own directory. */
  readonly directory: string;
  readonly meta: BlockMeta;
}

/** What a directory holds. */
export interface LocalBlocks {
  /** By time, the oldest first. */
  readonly blocks: readonly LocalBlock[];
  /** Blocks whose meta.json cannot be read, by ULID. */
  readonly bad: ReadonlyMap<string, unknown>;
  /** All of them. */
  readonly ulids: ReadonlySet<string>;
}

/**
 * Lists blocks; those that are made or removed meanwhile, under their temporary names, are none.
 * @throws CodedError unavailable when the directory cannot be listed.
 */
export async function listLocalBlocks(directory: string): Promise<LocalBlocks> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(
    (thrown: unknown): never => {
      const message = `list blocks in ${directory}: ${errorText(thrown)}`;
      throw new CodedError('unavailable', message, { cause: thrown });
    },
  );
  const blocks: LocalBlock[] = [];
  const bad = new Map<string, unknown>();
  for (const { name } of entries.filter((one) => one.isDirectory() && isUlid(one.name))) {
    const block = path.join(directory, name);
    try {
      blocks.push({ directory: block, meta: await readLocalMeta(block) });
    } catch (thrown) {
      // Removed since it was listed.
      if (errorCode(thrown) !== 'not_found') bad.set(name, thrown);
    }
  }
  blocks.sort((a, b) => a.meta.minTime - b.meta.minTime || compareUtf8(a.meta.ulid, b.meta.ulid));
  return { blocks, bad, ulids: new Set([...blocks.map(({ meta }) => meta.ulid), ...bad.keys()]) };
}
