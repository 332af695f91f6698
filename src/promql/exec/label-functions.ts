/** label_replace and label_join: the same values under other labels. */
import { RE2JS } from 're2js';
import { CodedError } from '../../lib/errors.ts';
import { METRIC_NAME, type Labels } from '../../model/labels.ts';
import { isValidText } from '../parse/quote.ts';
import { mergeSameLabels } from './same-labels.ts';
import type { StepVectors } from './step-vectors.ts';

/** The arguments of label_replace after the vector. */
export interface Replacement {
  readonly target: string;
  readonly replacement: string;
  readonly source: string;
  readonly pattern: string;
}

/** label_replace(): sets a label from another one that matches as a whole. */
export function labelReplace(vectors: StepVectors, args: Replacement): StepVectors {
  const { target, replacement, source, pattern } = args;
  let regexp: RE2JS;
  try {
    regexp = RE2JS.compile(`^(?s:${pattern})$`);
  } catch {
    throw new CodedError('execution', `invalid regular expression in label_replace(): ${pattern}`);
  }
  checkName(target, 'destination', 'label_replace');
  const names = new Map(Object.entries(regexp.namedGroups()));
  return relabel(vectors, target, (labels) => {
    const matcher = regexp.matcher(labels.get(source));
    if (!matcher.matches()) return undefined;
    return expand(replacement, (group) => {
      const index = /^\d+$/.test(group) ? Number(group) : names.get(group);
      if (index === undefined || index > matcher.groupCount()) return '';
      return matcher.group(index) ?? '';
    });
  });
}

/** label_join(): sets a label to others, joined. */
export function labelJoin(
  vectors: StepVectors,
  target: string,
  separator: string,
  sources: readonly string[],
): StepVectors {
  for (const source of sources) checkName(source, 'source', 'label_join');
  checkName(target, 'destination', 'label_join');
  return relabel(vectors, target, (labels) =>
    sources.map((source) => labels.get(source)).join(separator),
  );
}

function checkName(name: string, role: string, func: string): void {
  if (name !== '' && isValidText(name)) return;
  throw new CodedError('execution', `invalid ${role} label name in ${func}(): ${name}`);
}

/** Go's Regexp.Expand: `$1`, `${name}`, `$$`; the longest name counts. */
function expand(template: string, group: (name: string) => string): string {
  return template.replaceAll(
    /\$(?:\$|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g,
    (whole, braced: string | undefined, plain: string | undefined) =>
      whole === '$$' ? '$' : group(braced ?? plain ?? ''),
  );
}

/** Sets a label where the function gives a value; a name that is set stays. */
function relabel(
  vectors: StepVectors,
  target: string,
  value: (labels: Labels) => string | undefined,
): StepVectors {
  const { dropName } = vectors;
  const labels = vectors.labels.map((label, i) => {
    const text = value(label);
    if (text === undefined) return label;
    if (target === METRIC_NAME) dropName[i] = 0;
    return label.with(target, text);
  });
  return mergeSameLabels({ ...vectors, labels });
}
