import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { parseExpr } from './parse.ts';

test('quote: escaped bytes mean the character that they spell, a leading U+FEFF included', () => {
  const f = (literal: string, want: string): void => {
    const expr = parseExpr(literal);
    equal(expr.kind === 'string' ? expr.value : undefined, want, literal);
  };
  f(String.raw`"\xEF\xBB\xBFx"`, '\ufeffx');
  f(String.raw`"\ufeffx"`, '\ufeffx');
  f('"\ufeffx"', '\ufeffx');
  f(String.raw`"\xc3\xa9"`, 'é');
  f(String.raw`"\n\t\\\""`, '\n\t\\"');
});
