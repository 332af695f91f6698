/**
 * Tokens to trees: one for the template itself and one for each `{{define}}` and `{{block}}` in it. Grammar and error
 * texts: Go's text/template/parse; errors carry the template's name and the line.
 */
import { quoteGo } from '../go-strings.ts';
import type { Token } from './lexer.ts';
import type { ActionNode, BranchNode, InvokeNode, RangeNode, TemplateNode } from './node.ts';
import { PipelineParser } from './parse-pipeline.ts';
import { TokenStream } from './token-stream.ts';

/** What a template is parsed with. */
export interface ParseOptions {
  /** In messages; also what the text outside of definitions is called. */
  readonly name: string;
  readonly text: string;
  readonly isFunction: (name: string) => boolean;
}

/**
 * The trees of a template by name, its own among them.
 * @throws CodedError bad_data as `template: name:line: what`.
 */
export function parseTemplate(options: ParseOptions): Map<string, readonly TemplateNode[]> {
  return new Parser(options).parse();
}

/** limit: ifs, ranges and the like inside each other. */
const DEPTH_MAX = 1000;

/** What ends a list of nodes. */
interface ListEnd {
  readonly kind: 'end' | 'else';
}

class Parser {
  readonly #name: string;
  readonly #tokens: TokenStream;
  readonly #pipelines: PipelineParser;
  readonly #trees = new Map<string, readonly TemplateNode[]>();
  #loops = 0;
  #depth = 0;

  constructor(options: ParseOptions) {
    this.#name = options.name;
    this.#tokens = new TokenStream(options);
    this.#pipelines = new PipelineParser(this.#tokens, options.isFunction);
  }

  parse(): Map<string, readonly TemplateNode[]> {
    const nodes: TemplateNode[] = [];
    while (this.#tokens.peek().kind !== 'eof') {
      if (this.#atDefinition()) {
        this.#definition();
        continue;
      }
      const node = this.#textOrAction();
      if (isListEnd(node)) throw this.#tokens.error(`unexpected {{${node.kind}}}`);
      nodes.push(node);
    }
    this.#add(this.#name, nodes);
    return this.#trees;
  }

  /** `{{define`, with or without blanks: nothing is taken. */
  #atDefinition(): boolean {
    if (this.#tokens.peek().kind !== 'left') return false;
    const start = this.#tokens.position;
    this.#tokens.take();
    const found = this.#tokens.takeNonSpace().kind === 'define';
    this.#tokens.rewind(start);
    return found;
  }

  #definition(): void {
    this.#tokens.take();
    this.#tokens.takeNonSpace();
    const context = 'define clause';
    const name = this.#templateName(context);
    this.#tokens.expect('right', context);
    this.#ownTree(name, context);
  }

  /** The body of a definition: variables and loops around it are not its own. */
  #ownTree(name: string, context: string): void {
    const [loops, line] = [this.#loops, this.#tokens.actionLine];
    [this.#loops, this.#tokens.actionLine] = [0, 0];
    const { nodes, end } = this.#pipelines.inOwnScope(() => this.#list());
    if (end.kind !== 'end') throw this.#tokens.error(`unexpected {{${end.kind}}} in ${context}`);
    this.#add(name, nodes);
    [this.#loops, this.#tokens.actionLine] = [loops, line];
  }

  /** compat: a definition that is empty but for white space does not replace one, and may be replaced. */
  #add(name: string, nodes: readonly TemplateNode[]): void {
    const before = this.#trees.get(name);
    if (before !== undefined && !isEmptyTree(before)) {
      if (isEmptyTree(nodes)) return;
      throw this.#tokens.error(`template: multiple definition of template ${quoteGo(name)}`);
    }
    this.#trees.set(name, nodes);
  }

  #list(): { nodes: TemplateNode[]; end: ListEnd } {
    if (++this.#depth > DEPTH_MAX) throw this.#tokens.error(`nested deeper than ${DEPTH_MAX}`);
    const nodes: TemplateNode[] = [];
    while (this.#tokens.peekNonSpace().kind !== 'eof') {
      const node = this.#textOrAction();
      if (isListEnd(node)) {
        this.#depth--;
        return { nodes, end: node };
      }
      nodes.push(node);
    }
    throw this.#tokens.error('unexpected EOF');
  }

  #textOrAction(): TemplateNode | ListEnd {
    const token = this.#tokens.takeNonSpace();
    if (token.kind === 'text') return { kind: 'text', text: token.text };
    if (token.kind !== 'left') throw this.#tokens.unexpected(token, 'input');
    this.#tokens.actionLine = token.line;
    const node = this.#action();
    this.#tokens.actionLine = 0;
    return node;
  }

  #action(): TemplateNode | ListEnd {
    const token = this.#tokens.takeNonSpace();
    const { kind } = token;
    if (kind === 'block') return this.#block();
    if (kind === 'break' || kind === 'continue') return this.#jump(kind);
    if (kind === 'else') return this.#else();
    if (kind === 'end') {
      this.#tokens.expect('right', 'end');
      return { kind };
    }
    if (kind === 'if' || kind === 'with') return this.#branch(kind);
    if (kind === 'range') return this.#range();
    if (kind === 'template') return this.#invoke();
    this.#tokens.back();
    return this.#plain(token);
  }

  #plain(first: Token): ActionNode {
    return { kind: 'action', at: first.at, pipe: this.#pipelines.pipe('command', 'right') };
  }

  #jump(kind: 'break' | 'continue'): TemplateNode {
    this.#tokens.expect('right', `{{${kind}}}`);
    if (this.#loops === 0) throw this.#tokens.error(`{{${kind}}} outside {{range}}`);
    return { kind };
  }

  #else(): ListEnd {
    const { kind } = this.#tokens.peekNonSpace();
    // `{{else if …}}` stands for `{{else}}{{if …}}`: the keyword is left for whoever wants it.
    if (kind !== 'if' && kind !== 'with') this.#tokens.expect('right', 'else');
    return { kind: 'else' };
  }

  #branch(kind: 'if' | 'with'): BranchNode {
    return this.#pipelines.inScope(() => {
      const pipe = this.#pipelines.pipe(kind, 'right');
      const { nodes: body, end } = this.#list();
      const otherwise = end.kind === 'else' ? this.#otherwise(kind) : undefined;
      return { kind, pipe, body, otherwise };
    });
  }

  #range(): RangeNode {
    return this.#pipelines.inScope(() => {
      const pipe = this.#pipelines.pipe('range', 'right');
      this.#loops++;
      const { nodes: body, end } = this.#list();
      this.#loops--;
      const otherwise = end.kind === 'else' ? this.#otherwise('range') : undefined;
      return { kind: 'range', pipe, body, otherwise };
    });
  }

  #otherwise(kind: 'if' | 'with' | 'range'): readonly TemplateNode[] {
    if (kind !== 'range' && this.#tokens.peek().kind === kind) {
      this.#tokens.take();
      return [this.#branch(kind)];
    }
    const { nodes, end } = this.#list();
    if (end.kind !== 'end') throw this.#tokens.error(`expected end; found {{${end.kind}}}`);
    return nodes;
  }

  #block(): InvokeNode {
    const context = 'block clause';
    const { at } = this.#tokens.peekNonSpace();
    const name = this.#templateName(context);
    const pipe = this.#pipelines.pipe(context, 'right');
    this.#ownTree(name, context);
    return { kind: 'template', at, name, pipe };
  }

  #invoke(): InvokeNode {
    const context = 'template clause';
    const { at } = this.#tokens.peekNonSpace();
    const name = this.#templateName(context);
    if (this.#tokens.peekNonSpace().kind === 'right') {
      this.#tokens.takeNonSpace();
      return { kind: 'template', at, name, pipe: undefined };
    }
    return { kind: 'template', at, name, pipe: this.#pipelines.pipe(context, 'right') };
  }

  #templateName(context: string): string {
    const token = this.#tokens.takeNonSpace();
    if (token.kind !== 'string' && token.kind !== 'raw string') {
      throw this.#tokens.unexpected(token, context);
    }
    return this.#pipelines.unquote(token.text);
  }
}

function isListEnd(node: TemplateNode | ListEnd): node is ListEnd {
  return node.kind === 'end' || node.kind === 'else';
}

/** Whether there is nothing in a tree but white space. */
function isEmptyTree(nodes: readonly TemplateNode[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.text.trim() === '');
}
