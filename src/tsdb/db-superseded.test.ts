/** Killed between a new block and the removal of the one that it was made of: what is deleted afterwards stays away. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { MaintainedTsdb } from '../../test/support/maintained-tsdb.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { systemFiles } from '../lib/file-layer.ts';
import { Matcher } from '../model/matcher.ts';
import type { ListedBlock } from './block/list-blocks.ts';
import { deleteFromBlock } from './compact/delete-from-block.ts';
import { rewriteTombstones } from './compact/rewrite-tombstones.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ULIDS = ['01AAAAAAAAAAAAAAAAAAAAAAAA', '01BBBBBBBBBBBBBBBBBBBBBBBB'];

test('a block that was cleaned does not come back once its successor was cleaned, too', async () => {
  using directory = temporaryDirectory();
  const open = (): MaintainedTsdb => new MaintainedTsdb({ directory: directory.path });
  const find = (tsdb: MaintainedTsdb): ListedBlock => {
    const [block] = tsdb.catalog.blocks;
    ok(block !== undefined);
    return block;
  };
  /** Deletes a minute of the block and writes it anew; the old one stays. */
  const clean = (block: ListedBlock, minute: number, ulid = ''): void => {
    const matchers = [new Matcher('=', '__name__', 'm')];
    const range = { mint: minute * MINUTE, maxt: minute * MINUTE };
    deleteFromBlock(systemFiles, block.directory, { matchers, ...range });
    const options = { directory: directory.path, ulid, files: systemFiles };
    equal(rewriteTombstones(block.directory, options).kind, 'rewritten');
  };
  const minutes = async (tsdb: MaintainedTsdb): Promise<number[]> =>
    Object.values(await tsdb.read(0, 5 * MINUTE)).flatMap((row) => row.map(([t]) => t / MINUTE));
  {
    using tsdb = open();
    for (let t = 0; t <= 4 * HOUR; t += MINUTE) await tsdb.write({ m: [t, 1] });
    await tsdb.maintenance.run();
    clean(find(tsdb), 1, ULIDS[0]);
  }
  {
    using tsdb = open();
    equal(tsdb.db.report.listing.blocks.length, 2);
    equal(find(tsdb).meta.ulid, ULIDS[0]);
    deepEqual(await minutes(tsdb), [0, 2, 3, 4, 5]);
    clean(find(tsdb), 2, ULIDS[1]);
    systemFiles.remove(find(tsdb).directory);
  }
  using tsdb = open();
  deepEqual(
    tsdb.catalog.blocks.map(({ meta }) => meta.ulid),
    [ULIDS[1]],
  );
  deepEqual(await minutes(tsdb), [0, 3, 4, 5]);
});
