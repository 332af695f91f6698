/**
 * Configuration in YAML, strictly: what is misspelt, twice there or of another kind is an error that says file, line
 * and field, as `objstore.yaml:3: config.directorry: unknown field, expected directory`.
 *
 * Scalars stay the text that was written (the failsafe schema), so that a label value `0123` or `1e5` survives; whoever
 * wants a number or a duration says so in the schema, with a sentence of his own. As in Go, a value that is left out,
 * `null` or `~` is an absent field. Anchors, aliases and merge keys (`<<`) work as in gopkg.in/yaml.
 *
 * Both packages are loaded at the first use, which takes 70 ms: processes without configuration do not pay for them.
 */
import type { Alias, Document, LineCounter, Node, Pair, YAMLMap } from 'yaml';
import type { z, ZodType } from 'zod';
import { CodedError } from './errors.ts';
import { expectedFields, issueText } from './strict-yaml-issue.ts';

/** The schema builder, handed to whoever describes a schema. */
export type Zod = typeof z;

/** Where text comes from and what it says. */
export interface YamlSource {
  readonly text: string;
  /** For messages: a file's path, or the flag that held the text. */
  readonly name: string;
}

/** Keys and indices from the root to a value. */
export type YamlPath = readonly (string | number)[];

/** limit: values that aliases stand for; a few lines of aliases can stand for billions. */
const ALIASED_MAX = 100_000;

/** Reads the text and checks it against a schema. @throws CodedError bad_data with file, line and field. */
export async function readStrictYaml<T>(
  source: YamlSource,
  schema: (zod: Zod) => ZodType<T>,
): Promise<T> {
  return (await parseStrictYaml(source)).read([], schema);
}

/** Parses one document. @throws CodedError bad_data with file, line and column where it is not YAML. */
export async function parseStrictYaml(source: YamlSource): Promise<StrictYaml> {
  // A bundle has what a CommonJS package exports as its default alone.
  const [{ default: yaml }, zod] = await Promise.all([import('yaml'), import('zod')]);
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(source.text, {
    schema: 'failsafe',
    merge: true,
    stringKeys: true,
    prettyErrors: false,
    lineCounter: lines,
  });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    const what = SYNTAX[problem.code] ?? decapitalize(problem.message);
    throw new CodedError('bad_data', `${source.name}:${line}:${col}: ${what}`);
  }
  const found = new Resolver(source.name, yaml, document, lines);
  return new StrictYaml(source.name, zod.z, found.resolve(), found.lineOf);
}

/** Sentences for what the parser says in its own terms. */
const SYNTAX: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab is no indentation, use spaces',
  DUPLICATE_KEY: 'the field is there twice',
  MULTIPLE_DOCS: 'a second document begins here, expected one',
  NON_STRING_KEY: 'the name of a field is a text',
};

function decapitalize(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

/** A document whose values can be checked piece by piece, for schemas that depend on another field. */
export class StrictYaml {
  readonly #name: string;
  readonly #zod: Zod;
  readonly #root: unknown;
  readonly #lineOf: ReadonlyMap<string, number>;

  /** Use {@link parseStrictYaml}. `lineOf` gives the line of a field by {@link pathKey}. */
  constructor(name: string, zod: Zod, root: unknown, lineOf: ReadonlyMap<string, number>) {
    this.#name = name;
    this.#zod = zod;
    this.#root = root;
    this.#lineOf = lineOf;
  }

  /** The value at a path, checked. @throws CodedError bad_data for the first thing that is wrong. */
  read<T>(path: YamlPath, schema: (zod: Zod) => ZodType<T>): T {
    const type = schema(this.#zod);
    const value = valueAt(this.#root, path);
    const result = type.safeParse(value);
    if (result.success) return result.data;
    const issues = result.error.issues.map((issue) => {
      const at = [...path, ...issue.path.map(keyOf)];
      if (issue.code === 'unrecognized_keys') {
        const field = [...at, issue.keys[0] ?? ''];
        const what = `unknown field, ${expectedFields(type, issue.path.map(keyOf), field.at(-1))}`;
        return { at: field, what, rank: 0 };
      }
      return { at, what: issueText(issue, valueAt(this.#root, at)), rank: 1 };
    });
    // A misspelt field explains the one that is missing, so it comes first.
    const [first] = issues.toSorted(
      (a, b) => a.rank - b.rank || this.#line(a.at) - this.#line(b.at),
    );
    throw this.errorAt(first?.at ?? path, first?.what ?? 'is wrong');
  }

  /** An error about the value at a path, for what a schema cannot say. */
  errorAt(path: YamlPath, what: string): CodedError {
    const field = path.length === 0 ? '' : ` ${fieldName(path)}:`;
    return new CodedError('bad_data', `${this.#name}:${this.#line(path)}:${field} ${what}`);
  }

  /** The line of a field, or of the closest one above it that is there. */
  #line(path: YamlPath): number {
    for (let length = path.length; length >= 0; length--) {
      const line = this.#lineOf.get(pathKey(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  }
}

/** A path as the key of a map. */
function pathKey(path: YamlPath): string {
  return JSON.stringify(path);
}

/** `a.b[2].c`. */
function fieldName(path: YamlPath): string {
  return path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`))
    .join('');
}

/** Keys are texts and numbers here: the values were made by {@link Resolver}. */
function keyOf(key: PropertyKey): string | number {
  return typeof key === 'symbol' ? String(key) : key;
}

function valueAt(root: unknown, path: YamlPath): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[key];
  }
  return value;
}

/** Turns nodes into plain values and remembers their lines. */
class Resolver {
  /** Line by {@link pathKey}: of the key for a field, of the value for an item of a list. */
  readonly lineOf = new Map<string, number>();
  readonly #name: string;
  readonly #yaml: typeof import('yaml');
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  /** Anchors that are being resolved, against one that contains itself. */
  readonly #open = new Set<Node>();
  #aliased = 0;

  constructor(
    name: string,
    yaml: typeof import('yaml'),
    document: Document.Parsed,
    lines: LineCounter,
  ) {
    this.#name = name;
    this.#yaml = yaml;
    this.#document = document;
    this.#lines = lines;
  }

  /** The document's value; undefined when it is empty. */
  resolve(): unknown {
    return this.#value(this.#document.contents, []);
  }

  #value(node: Node | null, path: YamlPath): unknown {
    if (node === null) return undefined;
    if (this.#open.size > 0 && ++this.#aliased > ALIASED_MAX) {
      throw this.#error(node, `aliases stand for more than ${ALIASED_MAX} values`);
    }
    const { isAlias, isMap, isScalar, isSeq } = this.#yaml;
    if (isAlias(node)) return this.#alias(node, (target) => this.#value(target, path));
    if (isMap(node)) return this.#map(node, path);
    if (isSeq(node)) {
      return node.items.map((item, i) => {
        const at = [...path, i];
        this.#setLine(at, item as Node);
        // A list keeps its places: an item without a value is an empty text.
        return this.#value(item as Node, at) ?? '';
      });
    }
    if (!isScalar(node)) return undefined;
    const text = textOf(node);
    return node.type === 'PLAIN' && NULL.test(text) ? undefined : text;
  }

  #map(map: YAMLMap, path: YamlPath): Readonly<Record<string, unknown>> {
    // Without a prototype, so that no field name means anything.
    const result = Object.create(null) as Record<string, unknown>;
    for (const pair of map.items) {
      if (this.#isMerge(pair)) this.#merge(pair.value as Node, path, result);
    }
    for (const pair of map.items) {
      if (this.#isMerge(pair)) continue;
      const key = textOf(pair.key);
      const at = [...path, key];
      this.#setLine(at, pair.key as Node);
      // Kept when it is undefined, so that an unknown field without a value is found.
      result[key] = this.#value(pair.value as Node | null, at);
    }
    return result;
  }

  #isMerge({ key }: Pair): boolean {
    return this.#yaml.isScalar(key) && key.value === '<<' && key.type === 'PLAIN';
  }

  /** Adds the fields of one mapping, or of several of which the first to have a field wins. */
  #merge(node: Node, path: YamlPath, into: Record<string, unknown>): void {
    const { isAlias, isMap, isSeq } = this.#yaml;
    if (isAlias(node)) this.#alias(node, (target) => this.#merge(target, path, into));
    else if (isMap(node)) Object.assign(into, this.#map(node, path));
    else if (isSeq(node)) {
      for (const item of node.items.toReversed()) this.#merge(item as Node, path, into);
    } else throw this.#error(node, 'what is merged is a mapping');
  }

  #alias<T>(alias: Alias, use: (target: Node) => T): T {
    const target = alias.resolve(this.#document);
    if (target === undefined) throw this.#error(alias, `no anchor is called ${alias.source}`);
    if (this.#open.has(target)) {
      throw this.#error(alias, `the anchor ${alias.source} contains itself`);
    }
    this.#open.add(target);
    const result = use(target);
    this.#open.delete(target);
    return result;
  }

  #setLine(path: YamlPath, node: Node | null): void {
    if (node?.range) this.lineOf.set(pathKey(path), this.#lines.linePos(node.range[0]).line);
  }

  #error(node: Node, what: string): CodedError {
    const { line, col } = this.#lines.linePos(node.range?.[0] ?? 0);
    return new CodedError('bad_data', `${this.#name}:${line}:${col}: ${what}`);
  }
}

/** The text of a scalar: in the failsafe schema there is nothing else. */
function textOf(node: unknown): string {
  const { value } = node as { readonly value?: unknown };
  return typeof value === 'string' ? value : '';
}

/** Plain scalars that Go takes for an absent value. */
const NULL = /^(?:|~|null|Null|NULL)$/;
