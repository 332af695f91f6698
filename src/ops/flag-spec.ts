/** What a flag is: the row of a flag table, and its typed value. Grammar and texts are kingpin's. */

/** The kinds of values. Sizes are bytes, durations milliseconds; a time stays text, for lib/time-or-duration.ts. */
export type FlagKind = 'string' | 'bool' | 'int' | 'float' | 'duration' | 'bytes' | 'enum' | 'time';

/** One row of a flag table. */
export interface FlagSpec {
  /** Without dashes, as in `tsdb.retention`. */
  readonly name: string;
  /** The letter of the short form, as in `-o`. */
  readonly short?: string;
  readonly kind: FlagKind;
  readonly help: string;
  /** As the user would write it; absent means '' for text, 0 for numbers, false, or none when repeatable. */
  readonly default?: string | readonly string[];
  readonly repeatable?: boolean;
  /** The command line must name it. */
  readonly required?: boolean;
  /** Shown in the help instead of the default or the name in capitals. */
  readonly placeholder?: string;
  readonly hidden?: boolean;
  /** Accepted and without effect yet: a command line that names it gets a warning. */
  readonly idle?: boolean;
  /** The heading of the help that the flag stands under. */
  readonly group?: string;
  /** The values of an enum. */
  readonly values?: readonly string[];
  /** The value is masked wherever flags are shown; by default its name decides. */
  readonly secret?: boolean;
  /** A duration that is shown as Go shows its own (`2m0s`), not as Prometheus does (`2m`). */
  readonly goDuration?: boolean;
}

/** A command's name, description and flag table. */
export interface CommandSpec {
  /** As typed: with the program's name for the root of a tree (`thanos all`), alone below one (`ls`). */
  readonly name: string;
  readonly description: string;
  /** Its own flags; commands below it take them too, once its name has been read. */
  readonly flags: readonly FlagSpec[];
  /** Commands below it: one of them must be chosen. */
  readonly commands?: readonly CommandSpec[];
  /** What stands behind its name is not looked at: for commands that only say that they are not there yet. */
  readonly unchecked?: boolean;
}

/** A typed value of one flag. */
export type FlagValue = string | number | boolean;

/** The values of a command line. */
export interface FlagValues {
  string(name: string): string;
  strings(name: string): readonly string[];
  bool(name: string): boolean;
  /** An int, bytes or milliseconds, by the flag's kind. */
  number(name: string): number;
  /** Whether the command line names the flag. */
  isSet(name: string): boolean;
  /** Every flag as `/api/v1/status/flags` shows it, secrets masked, names sorted. */
  show(): Record<string, string>;
}
