/**
 * YAML of plans as a tree that knows its lines. Plans are machine-made and long (a year of rollouts is 12 MB), so the
 * plain block style that they are written in is read here, 30 times as fast as by the yaml library; a document with
 * anything else in it (comments behind values, flow style, anchors, folded text) goes to the library as a whole.
 */
import type { Document, LineCounter, Node } from 'yaml';
import { CodedError } from '../../lib/errors.ts';

/** A value of a plan and the line where it begins, counted from 1. */
export type PlanNode = PlanMap | PlanList | PlanScalar;

/** A mapping; keys may come twice, which is for its reader to refuse. */
export interface PlanMap {
  readonly kind: 'map';
  readonly line: number;
  readonly entries: readonly PlanEntry[];
}

/** One key of a mapping. */
export interface PlanEntry {
  readonly key: string;
  readonly line: number;
  readonly value: PlanNode;
}

/** A sequence. */
export interface PlanList {
  readonly kind: 'list';
  readonly line: number;
  readonly items: readonly PlanNode[];
}

/** A text, number or null, as it is written. */
export interface PlanScalar {
  readonly kind: 'scalar';
  readonly line: number;
  readonly text: string;
  /** Whether it stood in quotes, so that it is a text whatever it looks like. */
  readonly quoted: boolean;
}

/**
 * The documents of a text that are not empty; `source` names it in errors.
 * @throws CodedError bad_data with the line where it is not YAML.
 */
export async function readPlanTrees(text: string, source: string): Promise<PlanNode[]> {
  const lines = text.split(/\r?\n/);
  const separators = lines.flatMap((line, i) => (/^---[ \t]*$/.test(line) ? [i] : []));
  // Directives, document ends, and content on a separator's line: documents are then not what lies between separators.
  const plain = !lines.some((line) => /^(?:%|\.\.\.|---[ \t]*\S)/.test(line));
  if (!plain) return readByLibrary(text, source, 0);
  const trees: PlanNode[] = [];
  let from = 0;
  for (const to of [...separators, lines.length]) {
    const slice = lines.slice(from, to);
    const tree = readPlainBlocks(slice, from);
    if (tree === undefined) trees.push(...(await readByLibrary(slice.join('\n'), source, from)));
    else if (tree !== 'empty') trees.push(tree);
    from = to + 1;
  }
  return trees;
}

/** Thrown where a document is more than plain block style. */
class BeyondPlainBlocks extends Error {}

/** A document in plain block style, undefined when it is not; `offset` lines stand before it. */
function readPlainBlocks(lines: readonly string[], offset: number): PlanNode | 'empty' | undefined {
  try {
    return new PlainReader(lines, offset).document();
  } catch (thrown) {
    if (thrown instanceof BeyondPlainBlocks) return undefined;
    throw thrown;
  }
}

interface Line {
  indent: number;
  text: string;
  readonly line: number;
}

const KEY = /^(?:([A-Za-z_][\w./-]*)|"([^"\\]*)"):(?: +(\S.*))?$/;
const PLAIN = /^(?:[\w+./(]|-(?! |$))[^#\t]*$/;

class PlainReader {
  readonly #lines: Line[] = [];
  #at = 0;

  constructor(lines: readonly string[], offset: number) {
    for (const [i, raw] of lines.entries()) {
      const text = raw.trimStart();
      if (text === '' || text.startsWith('#')) continue;
      const indent = raw.length - text.length;
      if (raw.includes('\t') || text.endsWith(' ')) throw new BeyondPlainBlocks();
      this.#lines.push({ indent, text, line: offset + i + 1 });
    }
  }

  document(): PlanNode | 'empty' {
    const [first] = this.#lines;
    if (first === undefined) return 'empty';
    const node = this.#node(first);
    if (this.#at < this.#lines.length) throw new BeyondPlainBlocks();
    return node;
  }

  /** The block that begins at the current line. */
  #node(first: Line): PlanNode {
    return startsItem(first.text) ? this.#list(first) : this.#map(first);
  }

  #list({ indent, line }: Line): PlanNode {
    const items: PlanNode[] = [];
    for (let current = this.#current(); ; current = this.#current()) {
      if (current === undefined || current.indent !== indent || !startsItem(current.text)) break;
      // What follows the dash is a block of its own that begins in its column.
      const rest = current.text.slice(1).trimStart();
      if (rest === '') throw new BeyondPlainBlocks();
      current.indent += current.text.length - rest.length;
      current.text = rest;
      if (startsItem(rest) || KEY.test(rest)) {
        items.push(this.#node(current));
      } else {
        items.push(scalar(rest, current.line));
        this.#at++;
      }
    }
    return { kind: 'list', line, items };
  }

  #map({ indent, line }: Line): PlanNode {
    const entries: PlanEntry[] = [];
    for (let current = this.#current(); current !== undefined; current = this.#current()) {
      if (current.indent < indent) break;
      const match = KEY.exec(current.text);
      if (match === null && startsItem(current.text) && current.indent === indent) break;
      if (match === null || current.indent > indent) throw new BeyondPlainBlocks();
      const [, plain, quoted, text] = match;
      this.#at++;
      const value =
        text === undefined ? this.#below(indent, current.line) : scalar(text, current.line);
      entries.push({ key: plain ?? quoted ?? '', line: current.line, value });
    }
    return { kind: 'map', line, entries };
  }

  /** The value of a key with nothing behind its colon: deeper lines, or a list at the key's own depth. */
  #below(indent: number, line: number): PlanNode {
    const next = this.#current();
    if (next !== undefined) {
      if (next.indent > indent) return this.#node(next);
      if (next.indent === indent && startsItem(next.text)) return this.#list(next);
    }
    return { kind: 'scalar', line, text: '', quoted: false };
  }

  #current(): Line | undefined {
    return this.#lines[this.#at];
  }
}

function startsItem(text: string): boolean {
  return text.startsWith('- ') || text === '-';
}

function scalar(text: string, line: number): PlanNode {
  if (text === '[]') return { kind: 'list', line, items: [] };
  if (text === '{}') return { kind: 'map', line, entries: [] };
  const quoted = /^"([^"\\]*)"$|^'([^']*)'$/.exec(text);
  if (quoted !== null) {
    return { kind: 'scalar', line, text: quoted[1] ?? quoted[2] ?? '', quoted: true };
  }
  if (!PLAIN.test(text) || text.includes(': ') || text.endsWith(':')) throw new BeyondPlainBlocks();
  return { kind: 'scalar', line, text, quoted: false };
}

/** All documents of a text by the yaml library, which is loaded only here. */
async function readByLibrary(text: string, source: string, offset: number): Promise<PlanNode[]> {
  const { default: yaml } = await import('yaml');
  const lines = new yaml.LineCounter();
  const documents = yaml.parseAllDocuments(text, {
    // Scalars stay as they are written: what they mean depends on the field.
    schema: 'failsafe',
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
  });
  const nodes: PlanNode[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error !== undefined) {
      const line = offset + lines.linePos(error.pos[0]).line;
      throw new CodedError('bad_data', `${source}:${line}: ${error.message}`);
    }
    const reader = new LibraryReader(yaml, document, lines, { source, offset });
    if (document.contents !== null) nodes.push(reader.node(document.contents, 0));
  }
  return nodes;
}

/** limit: nesting, so that an alias of its own parent ends. */
const DEPTH_MAX = 50;

class LibraryReader {
  readonly #yaml: typeof import('yaml');
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #place: { readonly source: string; readonly offset: number };

  constructor(
    yaml: typeof import('yaml'),
    document: Document,
    lines: LineCounter,
    place: { readonly source: string; readonly offset: number },
  ) {
    this.#yaml = yaml;
    this.#document = document;
    this.#lines = lines;
    this.#place = place;
  }

  node(node: Node | null, depth: number): PlanNode {
    const { isAlias, isMap, isScalar, isSeq } = this.#yaml;
    const line = this.#line(node);
    if (depth > DEPTH_MAX) throw this.#bad(line, `nested deeper than ${DEPTH_MAX}`);
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target !== undefined) return this.node(target, depth + 1);
      throw this.#bad(line, `*${node.source} is an anchor that is not defined before`);
    }
    if (isSeq<Node | null>(node)) {
      return { kind: 'list', line, items: node.items.map((item) => this.node(item, depth + 1)) };
    }
    if (isMap<Node, Node | null>(node)) {
      const entries = node.items.map(({ key, value }) => ({
        key: isScalar(key) ? String(key.value) : '?',
        line: this.#line(key),
        value: this.node(value, depth + 1),
      }));
      return { kind: 'map', line, entries };
    }
    if (!isScalar(node)) return { kind: 'scalar', line, text: '', quoted: false };
    const text = typeof node.value === 'string' ? node.value : '';
    return { kind: 'scalar', line, text, quoted: node.type !== undefined && node.type !== 'PLAIN' };
  }

  #bad(line: number, problem: string): CodedError {
    return new CodedError('bad_data', `${this.#place.source}:${line}: ${problem}`);
  }

  #line(node: Node | null): number {
    return this.#place.offset + this.#lines.linePos(node?.range?.[0] ?? 0).line;
  }
}
