/**
 * Label matchers. Regular expressions are RE2 (re2js), anchored at both ends, `.` matching newlines as in
 * Prometheus; what is really a literal, a set of literals, a prefix, a suffix or an infix never reaches the engine.
 * Behaviour: prometheus model/labels/{matcher,regexp}.go.
 */
import { RE2JS } from 're2js';
import { CodedError, errorText } from '../lib/errors.ts';

/** The four matcher operators, as PromQL writes them. */
export type MatchType = '=' | '!=' | '=~' | '!~';

/** The fast forms that stand for a regular expression. */
interface FastRegexp {
  /** The finite set of values that match, when there is one. */
  readonly set?: readonly string[];
  /** A literal every match starts with. */
  readonly prefix?: string;
  test(value: string): boolean;
}

/** One condition on one label. Immutable; share it freely within a thread. */
export class Matcher {
  readonly type: MatchType;
  readonly name: string;
  readonly value: string;
  readonly #regexp: FastRegexp | undefined;

  /** @throws CodedError bad_data when a regular expression does not parse. */
  constructor(type: MatchType, name: string, value: string) {
    this.type = type;
    this.name = name;
    this.value = value;
    if (type === '=~' || type === '!~') this.#regexp = compileRegexp(value);
  }

  /** Whether a label value satisfies the condition; '' stands for an absent label. */
  matches(value: string): boolean {
    switch (this.type) {
      case '=':
        return value === this.value;
      case '!=':
        return value !== this.value;
      case '=~':
        return this.#test(value);
      case '!~':
        return !this.#test(value);
    }
  }

  /** Whether series without the label satisfy the condition. */
  get matchesEmpty(): boolean {
    return this.matches('');
  }

  /** The values that the regular expression (or `=`) can match, when they are finite. */
  get setMatches(): readonly string[] | undefined {
    return this.type === '=' || this.type === '!=' ? [this.value] : this.#regexp?.set;
  }

  /** A literal that every value the regular expression matches starts with, or ''. */
  get prefix(): string {
    return this.#regexp?.prefix ?? '';
  }

  /** As PromQL writes it: `name=~"value"`. */
  toString(): string {
    return `${this.name}${this.type}${JSON.stringify(this.value)}`;
  }

  #test(value: string): boolean {
    return this.#regexp !== undefined && this.#regexp.test(value);
  }
}

/** Characters that mean something in RE2; a pattern without them is a literal. */
const META = /[\\.+*?()|[\]{}^$]/;

function compileRegexp(pattern: string): FastRegexp {
  // perf: what needs no engine is not compiled either, which takes 5 µs a character.
  const fast = literalForm(pattern) ?? affixForm(pattern);
  if (fast !== undefined) return fast;
  const regexp = compileRe2(pattern);
  const prefix = literalPrefix(pattern);
  const verdicts = new Map<string, boolean>();
  return {
    prefix,
    test: (value) => {
      if (prefix !== '' && !value.startsWith(prefix)) return false;
      let verdict = verdicts.get(value);
      if (verdict === undefined) {
        verdict = regexp.matches(value);
        // limit: 4096 verdicts a matcher; label values repeat within a query, not without end.
        if (verdicts.size < 4096) verdicts.set(value, verdict);
      }
      return verdict;
    },
  };
}

function compileRe2(pattern: string): RE2JS {
  try {
    // On its own first: an error must name the pattern as it was written, and `a)(b` must not pass in the group.
    RE2JS.compile(pattern);
    // The group keeps an alternation inside the anchors.
    return RE2JS.compile(`^(?s:${pattern})$`);
  } catch (thrown) {
    throw new CodedError('bad_data', errorText(thrown), { cause: thrown });
  }
}

/** limit: literals that are looked up one by one; more of them are only compared with. */
const SET_MAX = 512;

/** `a|b|c`, `a`, `(a|b)` without any other syntax. */
function literalForm(pattern: string): FastRegexp | undefined {
  const inner = /^\((?:\?:)?([^()]*)\)$/.exec(pattern)?.[1] ?? pattern;
  if (META.test(inner.replaceAll('|', ''))) return undefined;
  const members = new Set(inner.split('|'));
  const test = (v: string): boolean => members.has(v);
  return members.size <= SET_MAX ? { set: [...members], test } : { test };
}

/** `.*`, `.+`, `lit.*`, `.*lit`, `.*lit.*` and the same with `+`. */
function affixForm(pattern: string): FastRegexp | undefined {
  const match = /^(\.[*+])?([^\\.+*?()|[\]{}^$]*)(\.[*+])?$/.exec(pattern);
  if (match === null) return undefined;
  const [, before, literal = '', after] = match;
  if (literal === '') {
    if (before === undefined || after !== undefined) return undefined;
    return before === '.*' ? { test: () => true } : { test: (v) => v !== '' };
  }
  const extraBefore = before === '.+' ? 1 : 0;
  const extraAfter = after === '.+' ? 1 : 0;
  const least = literal.length + extraBefore + extraAfter;
  if (before === undefined) {
    return { prefix: literal, test: (v) => v.length >= least && v.startsWith(literal) };
  }
  if (after === undefined) return { test: (v) => v.length >= least && v.endsWith(literal) };
  return {
    test: (v) => {
      const at = v.indexOf(literal, extraBefore);
      return at >= 0 && at + literal.length + extraAfter <= v.length;
    },
  };
}

/** The literal a pattern starts with, when nothing after it can make it optional. */
function literalPrefix(pattern: string): string {
  if (pattern.includes('|')) return '';
  const end = pattern.search(META);
  if (end <= 0) return '';
  // `ab*`: the last literal belongs to the repetition.
  return '*?{'.includes(pattern[end] as string) ? pattern.slice(0, end - 1) : pattern.slice(0, end);
}
