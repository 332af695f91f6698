/**
 * Go's text/template: parse once, execute on any data. What users write into `--output` flags and alert annotations is
 * in this language (https://pkg.go.dev/text/template). Not there: complex numbers and channels.
 */
import { BUILTINS } from './builtins.ts';
import { runTemplate } from './evaluate.ts';
import type { Program } from './evaluate-pipeline.ts';
import { parseTemplate } from './parser.ts';
import type { GoFunction, GoValue } from './value.ts';

/** What a template is made with. */
export interface TemplateOptions {
  /** In error messages. */
  readonly name: string;
  readonly text: string;
  /** Functions beside Go's own, or in their place. They may be asynchronous. */
  readonly functions?: ReadonlyMap<string, GoFunction>;
  /**
   * What a key is that a map does not have: `<no value>` by default, the zero value of the elements, or an error. As
   * Go's option `missingkey`.
   */
  readonly missingKey?: 'default' | 'zero' | 'error';
}

/** Functions that the evaluator knows itself. */
const SPECIAL: ReadonlySet<string> = new Set(['and', 'or', 'call']);

/** A parsed template. */
export class Template {
  readonly #program: Program;

  /** @throws CodedError bad_data as `template: name:line: what`. */
  constructor({ name, text, functions = new Map(), missingKey = 'default' }: TemplateOptions) {
    const isFunction = (word: string): boolean =>
      functions.has(word) || BUILTINS.has(word) || SPECIAL.has(word);
    const trees = parseTemplate({ name, text, isFunction });
    this.#program = { name, text, trees, functions, missingKey };
  }

  /**
   * The text that the template makes of data.
   * @throws CodedError execution as `template: name:line:column: executing "name" at <operand>: what`.
   */
  execute(data: GoValue): Promise<string> {
    return runTemplate(this.#program, this.#program.name, data);
  }
}
