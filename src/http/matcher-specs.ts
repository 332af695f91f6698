/** Matchers as plain data, and back. */
import { Matcher } from '../model/matcher.ts';
import type { MatcherSpec } from './tsdb-service.ts';

/** Plain data of matchers, which another thread can be sent. */
export function toSpecs(matchers: readonly Matcher[]): MatcherSpec[] {
  return matchers.map(({ type, name, value }) => ({ type, name, value }));
}

/** The matchers of plain data. @throws CodedError bad_data when a regular expression does not parse. */
export function fromSpecs(specs: readonly MatcherSpec[]): Matcher[] {
  return specs.map(({ type, name, value }) => new Matcher(type, name, value));
}
