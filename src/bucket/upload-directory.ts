/**
 * `thanos/upload/<ulid>` in a TSDB's directory: hard links to the files of the block that is being uploaded, so that
 * compaction and retention can do with the block itself what they want, and a meta.json with Thanos' part.
 */
import { constants } from 'node:fs';
import { copyFile, link, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CodedError, errorText } from '../lib/errors.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { encodeBlockMeta, META_FILE } from '../tsdb/block/meta.ts';
import { dataFiles } from './block-files.ts';
import { CHUNKS_DIRECTORY } from './block-path.ts';

/** The upload directories of one TSDB. One shipper owns them. */
export class UploadDirectories {
  readonly #root: string;

  /** Takes the TSDB's directory. */
  constructor(directory: string) {
    this.#root = path.join(directory, 'thanos', 'upload');
  }

  /**
   * Makes the upload directory of a block, with links to its files. Files are copied where the file system refuses
   * links. Returns its path. @throws CodedError as {@link dataFiles}, or unavailable.
   */
  async make(block: string): Promise<string> {
    const directory = path.join(this.#root, path.basename(block));
    const files = await dataFiles(block);
    try {
      await rm(directory, { recursive: true, force: true });
      await mkdir(path.join(directory, CHUNKS_DIRECTORY), { recursive: true });
      for (const { path: file } of files) {
        await linkOrCopy(path.join(block, file), path.join(directory, file));
      }
    } catch (thrown) {
      const message = `link block ${block} to ${directory}: ${errorText(thrown)}`;
      throw new CodedError('unavailable', message, { cause: thrown });
    }
    return directory;
  }

  /** Removes every upload directory, whosever it was. */
  async clear(): Promise<void> {
    const names = await readdir(this.#root).catch((): string[] => []);
    for (const name of names) {
      await rm(path.join(this.#root, name), { recursive: true, force: true });
    }
  }
}

/** Writes the meta.json of an upload directory. */
export async function writeUploadMeta(directory: string, meta: BlockMeta): Promise<void> {
  await writeFile(path.join(directory, META_FILE), encodeBlockMeta(meta));
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') throw thrown;
    // EPERM, EXDEV, EMLINK, ENOTSUP and others: what it is does not matter as long as a copy works.
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}
