/** Pairs of flags that hold a configuration or the path of one, and how commands read them. */
import type { PathOrContent } from '../lib/path-or-content.ts';
import type { FlagSpec, FlagValues } from '../ops/flag-spec.ts';

/** The two rows `--NAME-file` and `--NAME`; `what` says what the content is. */
export function configFlags(name: string, what: string): FlagSpec[] {
  return [
    {
      name: `${name}-file`,
      kind: 'string',
      placeholder: '<file-path>',
      help: `Path to a file with ${what}.`,
    },
    {
      name,
      kind: 'string',
      placeholder: '<content>',
      help: `The content of such a file instead of its path: ${what}.`,
    },
  ];
}

/** What the two flags of a name hold. */
export function configOf(values: FlagValues, name: string): PathOrContent {
  return {
    flag: name,
    content: values.string(name),
    path: values.string(`${name}-file`),
    env: process.env,
  };
}

/** The flags that say where the bucket is; `suffix` tells several of them apart, as in `-to`. */
export function objstoreFlags(suffix = ''): FlagSpec[] {
  return configFlags(
    `objstore${suffix}.config`,
    'the configuration of the object store in YAML: type, config, prefix',
  );
}
