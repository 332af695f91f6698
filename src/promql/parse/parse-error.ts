/** The error of a query that does not parse, in Prometheus' words: `1:5: parse error: …`. */
import { CodedError } from '../../lib/errors.ts';
import type { Span } from './ast.ts';

/** A query text that is no valid expression. Only the first error of a text is ever reported. */
export class ParseError extends CodedError {
  /** Where in the query, in UTF-16 units. */
  readonly span: Span;
  /** The message without the position. */
  readonly detail: string;

  constructor(query: string, span: Span, detail: string) {
    super('bad_data', `${linePosition(query, span.start)}: parse error: ${detail}`);
    this.name = 'ParseError';
    this.span = span;
    this.detail = detail;
  }
}

/** `line:column` of an offset; columns count UTF-8 bytes, as Go's offsets do. */
export function linePosition(query: string, offset: number): string {
  if (query === '') return 'unknown position';
  if (offset < 0 || offset > query.length) return 'invalid position';
  const before = query.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  return `${line}:${Buffer.byteLength(before.slice(lineStart)) + 1}`;
}
