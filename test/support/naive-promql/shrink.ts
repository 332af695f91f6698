/** Makes a case that went wrong small: fewer series and samples, simpler expressions, fewer steps. */
import { children, valueType, type Expr } from '../../../src/promql/parse/ast.ts';
import { ALL_FEATURES } from '../../../src/promql/parse/options.ts';
import { parseExpr } from '../../../src/promql/parse/parse.ts';
import { printExpr } from '../../../src/promql/parse/print.ts';
import { runCase, type FuzzCase } from './fuzz-case.ts';

/** limit: cases that are tried; each costs a few milliseconds. */
const TRIES_MAX = 2000;

/** The smallest case found that still goes wrong. */
export async function shrinkCase(start: FuzzCase, i: number): Promise<FuzzCase> {
  let smallest = start;
  let tries = 0;
  let improved = true;
  while (improved && tries < TRIES_MAX) {
    improved = false;
    for (const candidate of candidates(smallest)) {
      if (tries++ >= TRIES_MAX) break;
      if (!(await isWrong(candidate, i))) continue;
      smallest = candidate;
      improved = true;
      break;
    }
  }
  return smallest;
}

async function isWrong(candidate: FuzzCase, i: number): Promise<boolean> {
  const verdict = await runCase(candidate, i);
  return verdict.kind === 'different' && !verdict.why.startsWith('the naive evaluator failed');
}

/** Smaller cases, the much smaller ones first. */
function* candidates(from: FuzzCase): Generator<FuzzCase> {
  for (const text of simplerTexts(from.text)) yield { ...from, text };
  const { series, times } = from;
  for (
    let size = Math.ceil(series.length / 2);
    size > 0;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < series.length; at += size) {
      yield { ...from, series: series.toSpliced(at, size) };
    }
  }
  if (times.endMs > times.startMs) {
    const { startMs, endMs, stepMs } = times;
    yield { ...from, times: { ...times, endMs: startMs } };
    yield { ...from, times: { ...times, startMs: startMs + stepMs } };
    yield { ...from, times: { ...times, endMs: endMs - stepMs } };
  }
  for (const [k, { labels, points }] of series.entries()) {
    for (let size = Math.ceil(points.length / 2); size > 0; size = Math.floor(size / 2)) {
      for (let at = 0; at < points.length; at += size) {
        const fewer = { labels, points: points.toSpliced(at, size) };
        yield { ...from, series: series.with(k, fewer) };
      }
    }
  }
}

/** The text with a part replaced by a part of that part, of the same type. */
function simplerTexts(text: string): string[] {
  const root = parseExpr(text, ALL_FEATURES);
  const texts: string[] = [];
  const visit = (expr: Expr): void => {
    for (const child of descendants(expr)) {
      if (valueType(child) !== valueType(expr)) continue;
      // Parts are cut out of the text; parentheses keep what is around them as it is.
      const inner = text.slice(child.start, child.end);
      const isWhole = expr === root;
      const replaced = isWhole ? inner : `(${inner})`;
      const candidate = text.slice(0, expr.start) + replaced + text.slice(expr.end);
      const printed = reprint(candidate);
      if (printed !== undefined && printed.length < text.length) texts.push(printed);
    }
    for (const child of children(expr)) visit(child);
  };
  visit(root);
  return [...new Set(texts)].toSorted((a, b) => a.length - b.length);
}

function descendants(expr: Expr): Expr[] {
  return children(expr).flatMap((child) => [child, ...descendants(child)]);
}

/** The text without parentheses that say nothing; undefined when it does not parse. */
function reprint(text: string): string | undefined {
  try {
    return printExpr(parseExpr(text.replaceAll(/\(\(([^()]*)\)\)/g, '($1)'), ALL_FEATURES));
  } catch {
    return undefined;
  }
}
