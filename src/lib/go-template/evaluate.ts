/**
 * Runs a template: walks its tree, lets pipelines be evaluated, collects the text. Behaviour and error texts: Go's
 * text/template, exec.go.
 */
import { CodedError } from '../errors.ts';
import { quoteGo } from '../go-strings.ts';
import { PipelineEvaluator } from './evaluate-pipeline.ts';
import type { Program } from './evaluate-pipeline.ts';
import { sortedEntries, sprint } from './format.ts';
import type { BranchNode, InvokeNode, RangeNode, TemplateNode } from './node.ts';
import { printPlace } from './node.ts';
import { GoFunction, GoList, GoMap, isTrue, typeOf } from './value.ts';
import type { GoValue } from './value.ts';

/** limit: templates that call each other, or themselves. */
const DEPTH_MAX = 1000;

/** limit: characters that a template makes, against a loop that nobody meant. */
const OUTPUT_MAX = 1 << 28;

/** Runs the tree of a name on data. @throws CodedError execution. */
export async function runTemplate(program: Program, name: string, data: GoValue): Promise<string> {
  const output = new Output(program.name);
  try {
    await new Evaluator(program, name, output, data).run();
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    const message = `template: ${program.name}: nested too deeply for this thread`;
    throw new CodedError('execution', message, { cause: thrown });
  }
  return output.text();
}

/** The text so far. */
class Output {
  readonly #name: string;
  readonly #parts: string[] = [];
  #length = 0;

  constructor(name: string) {
    this.#name = name;
  }

  push(text: string): void {
    this.#length += text.length;
    if (this.#length > OUTPUT_MAX) {
      const message = `template: ${this.#name}: more than ${OUTPUT_MAX} characters of output`;
      throw new CodedError('too_large', message);
    }
    this.#parts.push(text);
  }

  text(): string {
    return this.#parts.join('');
  }
}

/** How a list of nodes ended. */
type Jump = 'break' | 'continue' | undefined;

/** Runs one tree; a template that calls another one has an evaluator for each, sharing the output. */
class Evaluator {
  readonly #program: Program;
  readonly #tree: string;
  readonly #out: Output;
  readonly #data: GoValue;
  readonly #depth: number;
  readonly #pipelines: PipelineEvaluator;

  constructor(program: Program, tree: string, out: Output, data: GoValue, depth = 0) {
    this.#program = program;
    this.#tree = tree;
    this.#out = out;
    this.#data = data;
    this.#depth = depth;
    this.#pipelines = new PipelineEvaluator(program, tree, data);
  }

  async run(): Promise<void> {
    const nodes = this.#program.trees.get(this.#tree);
    if (nodes === undefined) {
      throw this.#pipelines.error(`${quoteGo(this.#tree)} is an incomplete or empty template`);
    }
    await this.#walk(nodes, this.#data);
  }

  async #walk(nodes: readonly TemplateNode[], dot: GoValue): Promise<Jump> {
    for (const node of nodes) {
      const jump = await this.#node(node, dot);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  async #node(node: TemplateNode, dot: GoValue): Promise<Jump> {
    switch (node.kind) {
      case 'text':
        this.#out.push(node.text);
        return undefined;
      case 'action': {
        const value = await this.#pipelines.pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) {
          this.#pipelines.place = node;
          this.#print(value);
        }
        return undefined;
      }
      case 'if':
      case 'with':
        return this.#branch(node, dot);
      case 'range':
        return this.#range(node, dot);
      case 'template':
        return this.#invoke(node, dot);
      case 'break':
      case 'continue':
        return node.kind;
    }
  }

  #print(value: GoValue): void {
    if (value instanceof GoFunction) {
      const shown = this.#pipelines.place === undefined ? '' : printPlace(this.#pipelines.place);
      throw this.#pipelines.error(`can't print ${shown} of type ${typeOf(value)}`);
    }
    this.#out.push(value === undefined ? '<no value>' : sprint([value]));
  }

  async #branch(node: BranchNode, dot: GoValue): Promise<Jump> {
    const mark = this.#pipelines.variables;
    const value = await this.#pipelines.pipe(node.pipe, dot);
    let jump: Jump;
    if (isTrue(value)) jump = await this.#walk(node.body, node.kind === 'with' ? value : dot);
    else if (node.otherwise !== undefined) jump = await this.#walk(node.otherwise, dot);
    this.#pipelines.dropVariables(mark);
    return jump;
  }

  async #range(node: RangeNode, dot: GoValue): Promise<Jump> {
    const mark = this.#pipelines.variables;
    const value = await this.#pipelines.pipe(node.pipe, dot);
    const inside = this.#pipelines.variables;
    let some = false;
    let jump: Jump;
    for (const [index, item] of this.#items(value, node)) {
      some = true;
      this.#pipelines.setLoopVariables(node.pipe, index, item);
      const end = await this.#walk(node.body, item);
      this.#pipelines.dropVariables(inside);
      if (end === 'break') break;
    }
    if (!some && node.otherwise !== undefined) jump = await this.#walk(node.otherwise, dot);
    this.#pipelines.dropVariables(mark);
    return jump;
  }

  /** What a range goes over, with indices or keys. */
  *#items(value: GoValue, node: RangeNode): Generator<[GoValue, GoValue]> {
    if (value === undefined || value === null) return;
    if (value instanceof GoList) {
      for (const [i, item] of value.items.entries()) yield [BigInt(i), item];
    } else if (value instanceof GoMap) {
      yield* sortedEntries(value);
    } else if (typeof value === 'bigint') {
      if (node.pipe.variables.length > 1) {
        throw this.#pipelines.error(`can't use ${value} to iterate over more than one variable`);
      }
      for (let i = 0n; i < value; i++) yield [undefined, i];
    } else {
      throw this.#pipelines.error(`range can't iterate over ${sprint([value])}`);
    }
  }

  async #invoke(node: InvokeNode, dot: GoValue): Promise<Jump> {
    this.#pipelines.place = node;
    if (!this.#program.trees.has(node.name)) {
      throw this.#pipelines.error(`template ${quoteGo(node.name)} not defined`);
    }
    if (this.#depth === DEPTH_MAX) {
      throw this.#pipelines.error(`exceeded maximum template depth (${DEPTH_MAX})`);
    }
    const data = node.pipe === undefined ? undefined : await this.#pipelines.pipe(node.pipe, dot);
    await new Evaluator(this.#program, node.name, this.#out, data, this.#depth + 1).run();
    return undefined;
  }
}
