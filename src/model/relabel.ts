/**
 * Relabeling: rules that rewrite label sets, or drop what has them. Behaviour: prometheus model/relabel/relabel.go, with
 * label names that are any UTF-8.
 */
import { createHash } from 'node:crypto';
import { RE2JS } from 're2js';
import { Labels } from './labels.ts';

/** What a rule does. */
export type RelabelAction =
  | 'replace'
  | 'keep'
  | 'drop'
  | 'keepequal'
  | 'dropequal'
  | 'hashmod'
  | 'labelmap'
  | 'labeldrop'
  | 'labelkeep'
  | 'lowercase'
  | 'uppercase';

/** All actions, as configuration names them. */
export const RELABEL_ACTIONS: readonly RelabelAction[] = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
];

/** A rule, complete and checked: model/relabel-config.ts makes them. */
export interface RelabelRule {
  readonly action: RelabelAction;
  /** The labels whose values, joined by the separator, the rule looks at. */
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  /** Anchored at both ends. */
  readonly regex: RE2JS;
  readonly modulus: bigint;
  readonly targetLabel: string;
  readonly replacement: string;
}

/** The labels after all rules; undefined when a rule drops them. */
export function relabel(labels: Labels, rules: readonly RelabelRule[]): Labels | undefined {
  let current: Labels | undefined = labels;
  for (const rule of rules) {
    current = applyRule(current, rule);
    if (current === undefined) return undefined;
  }
  return current;
}

function applyRule(labels: Labels, rule: RelabelRule): Labels | undefined {
  const { action, regex, targetLabel } = rule;
  const value = rule.sourceLabels.map((name) => labels.get(name)).join(rule.separator);
  switch (action) {
    case 'drop':
      return regex.matches(value) ? undefined : labels;
    case 'keep':
      return regex.matches(value) ? labels : undefined;
    case 'dropequal':
      return labels.get(targetLabel) === value ? undefined : labels;
    case 'keepequal':
      return labels.get(targetLabel) === value ? labels : undefined;
    case 'replace':
      return replace(labels, rule, value);
    case 'lowercase':
      return labels.with(targetLabel, value.toLowerCase());
    case 'uppercase':
      return labels.with(targetLabel, value.toUpperCase());
    case 'hashmod':
      return labels.with(targetLabel, hashMod(value, rule.modulus));
    case 'labelmap':
      return mapNames(labels, rule);
    case 'labeldrop':
      return Labels.fromPairs([...labels].filter(([name]) => !regex.matches(name)));
    case 'labelkeep':
      return Labels.fromPairs([...labels].filter(([name]) => regex.matches(name)));
  }
}

function replace(labels: Labels, rule: RelabelRule, value: string): Labels {
  const match = rule.regex.matcher(value);
  if (!match.matches()) return labels;
  const target = expand(rule.targetLabel, match);
  return target === '' ? labels : labels.with(target, expand(rule.replacement, match));
}

/** compat: the last 8 bytes of the MD5 as a big-endian number. */
function hashMod(value: string, modulus: bigint): string {
  const digest = createHash('md5').update(value).digest();
  return (digest.readBigUInt64BE(8) % modulus).toString();
}

/** Copies the labels whose names match to other names. */
function mapNames(labels: Labels, { regex, replacement }: RelabelRule): Labels {
  const added = [...labels].flatMap(([name, value]): [string, string][] => {
    const match = regex.matcher(name);
    return match.matches() ? [[expand(replacement, match), value]] : [];
  });
  return added.length === 0 ? labels : Labels.fromPairs([...labels, ...added]);
}

type Match = ReturnType<RE2JS['matcher']>;

/**
 * A replacement with the groups of a match: `$1`, `$name`, `${name}`, `$$` for a dollar; a group that is not there is
 * empty. compat: `$1x` names a group "1x", as in Go.
 */
function expand(template: string, match: Match): string {
  return template.replaceAll(
    /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (whole, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare;
      if (name === undefined) return whole === '$$' ? '$' : whole;
      return groupOf(match, name) ?? '';
    },
  );
}

function groupOf(match: Match, name: string): string | undefined {
  const isNumber = /^\d+$/.test(name);
  if (isNumber && Number(name) > match.groupCount()) return undefined;
  const index = isNumber ? Number(name) : match.namedGroups[name];
  return index === undefined ? undefined : (match.group(index) ?? undefined);
}
