/** The matchers of a selector's text, for clients that send them one by one. */
import type { RemoteMatcher } from './remote-read.ts';

const MATCHER = /(\w+)(=~|!~|!=|=)("(?:[^"\\]|\\.)*")/g;

/** Matchers of a selector such as `{__name__=~".+",zone!="a"}` whose values are quoted as JSON has them. */
export function matchersOf(selector: string): RemoteMatcher[] {
  const matchers = [...selector.matchAll(MATCHER)].map(
    ([, name = '', type, value = '""']): RemoteMatcher => [
      type as RemoteMatcher[0],
      name,
      JSON.parse(value) as string,
    ],
  );
  const again = matchers.map(([type, name, value]) => `${name}${type}${JSON.stringify(value)}`);
  if (`{${again.join(',')}}` !== selector) throw new Error(`not a selector: ${selector}`);
  return matchers;
}
