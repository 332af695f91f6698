/**
 * The pair of flags by which configuration comes: `--NAME` holds the text, `--NAME-file` a path; `$(VARIABLE)` in it
 * stands for a variable of the environment. Behaviour and error texts: github.com/efficientgo/tools extkingpin,
 * pathorcontent.go.
 */
import { readFile } from 'node:fs/promises';
import { CodedError, errorText } from './errors.ts';
import type { YamlSource } from './strict-yaml.ts';

/** The values of the two flags; '' when one is not given. */
export interface PathOrContent {
  /** Without dashes and without `-file`: `objstore.config`. */
  readonly flag: string;
  readonly content: string;
  readonly path: string;
  /** The environment, by which the text is expanded. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The text that the flags give, expanded; undefined when neither is given or the text is empty.
 * @throws CodedError bad_data when both are given, the file cannot be read, or a variable is not set.
 */
export async function readPathOrContent(flags: PathOrContent): Promise<YamlSource | undefined> {
  const { flag, content, path } = flags;
  if (path !== '' && content !== '') {
    throw new CodedError('bad_data', `both ${flag}-file and ${flag} flags set.`);
  }
  const name = path === '' ? `--${flag}` : path;
  const text = path === '' ? content : await readText(path, flag);
  return text === '' ? undefined : { name, text: expand(text, flags.env, name) };
}

async function readText(path: string, flag: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    const message = `loading file ${path} for ${flag}-file: ${errorText(thrown)}`;
    throw new CodedError('bad_data', message, { cause: thrown });
  }
}

/** compat: everywhere in the text, comments included, and before it is parsed. */
function expand(text: string, env: PathOrContent['env'], name: string): string {
  return text.replaceAll(/\$\(([a-zA-Z_0-9]+)\)/g, (_, variable: string, at: number) => {
    const value = env[variable];
    if (value !== undefined) return value;
    const line = text.slice(0, at).split('\n').length;
    const message = `found reference to unset environment variable ${JSON.stringify(variable)}`;
    throw new CodedError('bad_data', `${name}:${line}: ${message}`);
  });
}
