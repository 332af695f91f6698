/** Writes the blocks of `query` to a directory, in a process of its own, and prints what was written. */
import { writeQueryBlocks } from './query-blocks.ts';

console.log(JSON.stringify(writeQueryBlocks(process.argv[2] as string)));
