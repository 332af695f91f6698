/** Order of label sets by their symbols' numbers, which are in the order of their texts. */

/** As compareLabels: the first number that differs decides, a prefix sorts first. */
export function compareNumbers(a: Uint32Array, b: Uint32Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
