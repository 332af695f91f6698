/** XML of stores: small documents, read whole. */
import { XMLParser } from 'fast-xml-parser';
import { CodedError } from '../../lib/errors.ts';

/** An element: its text, or its children by name. What is there several times is a list. */
export type XmlNode = string | { readonly [name: string]: XmlNode | readonly XmlNode[] };

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  removeNSPrefix: true,
  // Names of objects may be numbers, and have spaces at their ends.
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true,
});

/** The root element of an answer. @throws CodedError unavailable when it is another one, or cut short. */
export function parseXml(text: string, root: string, where: string): XmlNode {
  const found = tryXml(text, root);
  if (found !== undefined) return found;
  const message = `${where}: the answer is no whole ${root}: ${JSON.stringify(text.slice(0, 100))}`;
  throw new CodedError('unavailable', message);
}

/** As {@link parseXml}, or undefined. */
export function tryXml(text: string, root: string): XmlNode | undefined {
  // The parser does not mind when the end is missing.
  const end = text.trimEnd();
  if (!end.endsWith(`${root}>`) && !end.endsWith('/>')) return undefined;
  try {
    return (parser.parse(text) as Readonly<Record<string, XmlNode>>)[root];
  } catch {
    return undefined;
  }
}

/** All children of a name; none when there is no such child. */
export function children(node: XmlNode | undefined, name: string): readonly XmlNode[] {
  if (node === undefined || typeof node === 'string') return [];
  const found = node[name];
  if (found === undefined) return [];
  return Array.isArray(found) ? (found as readonly XmlNode[]) : [found as XmlNode];
}

/** The text of the element that a path leads to; '' when there is none. */
export function childText(node: XmlNode | undefined, ...path: readonly string[]): string {
  let at = node;
  for (const name of path) [at] = children(at, name);
  return typeof at === 'string' ? at : '';
}
