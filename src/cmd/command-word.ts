/** Which word of a command line names the command: flags of all commands may stand in front of it. */
import { GLOBAL_FLAGS } from './global-flags.ts';

/** The place of the first word that is neither a flag nor the value of a global one; -1 when there is none. */
export function commandIndex(args: readonly string[]): number {
  const withValue = new Set(
    GLOBAL_FLAGS.filter(({ kind }) => kind !== 'bool').map(({ name }) => `--${name}`),
  );
  let at = 0;
  while (args[at]?.startsWith('-') === true) at += withValue.has(args[at] ?? '') ? 2 : 1;
  return at < args.length ? at : -1;
}
