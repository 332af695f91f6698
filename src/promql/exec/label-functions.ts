/** label_replace and label_join: the same values under other labels. */
import { RE2JS } from 're2js';
import { CodedError } from '../../lib/errors.ts';
import { METRIC_NAME, type Labels } from '../../model/labels.ts';
import type { ExecContext } from './context.ts';
import { isValidText } from '../parse/quote.ts';
import { mergeSameLabels } from './same-labels.ts';
import type { StepVectors } from './step-vectors.ts';

/** limit: characters of all labels that one call makes. A few hundred bytes of a query could ask for gigabytes. */
const TEXT_MAX = 16 << 20;
const TOO_MUCH_TEXT = `label_replace() and label_join() may make up to ${TEXT_MAX} characters of labels, this query makes more`;

/** The arguments of label_replace after the vector. */
export interface Replacement {
  readonly target: string;
  readonly replacement: string;
  readonly source: string;
  readonly pattern: string;
}

/** label_replace(): sets a label from another one that matches as a whole. */
export function labelReplace(
  ctx: ExecContext,
  vectors: StepVectors,
  args: Replacement,
): StepVectors {
  const { target, replacement, source, pattern } = args;
  let regexp: RE2JS;
  try {
    regexp = RE2JS.compile(`^(?s:${pattern})$`);
  } catch {
    throw new CodedError('execution', `invalid regular expression in label_replace(): ${pattern}`);
  }
  checkName(target, 'destination', 'label_replace');
  const names = new Map(Object.entries(regexp.namedGroups()));
  const groups = regexp.groupCount();
  const parts = parseTemplate(replacement, (name) => {
    const group = /^\d+$/.test(name) ? Number(name) : names.get(name);
    return group === undefined || group > groups ? undefined : group;
  });
  return relabel(ctx, vectors, target, (labels) => {
    const matcher = regexp.matcher(labels.get(source));
    if (!matcher.matches()) return undefined;
    const texts = Array.from({ length: groups + 1 }, (_, group) => matcher.group(group) ?? '');
    let size = 0;
    let text = '';
    for (const part of parts) {
      const more = typeof part === 'string' ? part : (texts[part.group] as string);
      size += more.length;
      if (size > TEXT_MAX) throw new CodedError('execution', TOO_MUCH_TEXT);
      text += more;
    }
    return text;
  });
}

/** label_join(): sets a label to others, joined. */
export function labelJoin(
  ctx: ExecContext,
  vectors: StepVectors,
  target: string,
  separator: string,
  sources: readonly string[],
): StepVectors {
  for (const source of sources) checkName(source, 'source', 'label_join');
  checkName(target, 'destination', 'label_join');
  return relabel(ctx, vectors, target, (labels) =>
    sources.map((source) => labels.get(source)).join(separator),
  );
}

function checkName(name: string, role: string, func: string): void {
  if (name !== '' && isValidText(name)) return;
  throw new CodedError('execution', `invalid ${role} label name in ${func}(): ${name}`);
}

/** A part of a template: text as it is, or what a group matched. */
type TemplatePart = string | { readonly group: number };

/**
 * Go's Regexp.Expand: `$1`, `${name}`, `$$`; the longest name counts, and a group that there is not is empty. Read once, because a
 * template may be long and the series many.
 */
function parseTemplate(
  template: string,
  groupOf: (name: string) => number | undefined,
): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (const match of template.matchAll(/\$(?:\$|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g)) {
    if (match.index > at) parts.push(template.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[0] === '$$') parts.push('$');
    else {
      const group = groupOf(match[1] ?? match[2] ?? '');
      if (group !== undefined) parts.push({ group });
    }
  }
  if (at < template.length) parts.push(template.slice(at));
  return parts;
}

/** Sets a label where the function gives a value; a name that is set stays. */
function relabel(
  ctx: ExecContext,
  vectors: StepVectors,
  target: string,
  value: (labels: Labels) => string | undefined,
): StepVectors {
  const { dropName } = vectors;
  let size = 0;
  const labels = vectors.labels.map((label, i) => {
    ctx.check();
    const text = value(label);
    if (text === undefined) return label;
    size += text.length;
    if (size > TEXT_MAX) throw new CodedError('execution', TOO_MUCH_TEXT);
    if (target === METRIC_NAME) dropName[i] = 0;
    return label.with(target, text);
  });
  return mergeSameLabels({ ...vectors, labels });
}
