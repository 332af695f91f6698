/** Runs the blocks of the documentation that are marked `run`, so that what a reader copies works. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { RunnableBlock } from './markdown.ts';

/** limit: a block is an example; servers and long work belong into test/e2e. */
const TIMEOUT_MS = 60_000;

/**
 * Runs a block in the root of the repository, with bin/ and the pinned Node first on PATH and a TMPDIR of its own that is
 * removed afterwards. Throws when it fails, or prints something else than the output block that follows it.
 */
export function runBlock(block: RunnableBlock, root: string): void {
  const scratch = mkdtempSync(path.join(tmpdir(), 'docs-block-'));
  const where = `${block.file}:${block.line}`;
  try {
    const searched = [path.join(root, 'bin'), path.dirname(process.execPath), process.env['PATH']];
    const [command, args] =
      block.language === 'sh'
        ? ['sh', ['-eu']]
        : [process.execPath, ['--input-type=module-typescript', '-']];
    const result = spawnSync(command, args, {
      cwd: root,
      input: block.text,
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      env: { ...process.env, PATH: searched.join(path.delimiter), TMPDIR: scratch },
    });
    if (result.error !== undefined) throw new Error(`${where}: ${result.error.message}`);
    if (result.status !== 0) {
      throw new Error(`${where}: exit code ${result.status}\n${result.stdout}${result.stderr}`);
    }
    if (block.output !== undefined && block.output !== result.stdout) {
      throw new Error(`${where}: expected\n${block.output}but it printed\n${result.stdout}`);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
