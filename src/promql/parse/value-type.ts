/** The types of PromQL values. */

/** `none` is the type of nothing. */
export type ValueType = 'none' | 'vector' | 'scalar' | 'matrix' | 'string';

/** A value type in the words of the documentation. */
export function documentedType(type: ValueType): string {
  if (type === 'vector') return 'instant vector';
  return type === 'matrix' ? 'range vector' : type;
}
