/** Label matchers of messages and the model's. Behaviour: thanos pkg/store/storepb (MatcherToPromMatcher). */
import { create } from '@bufbuild/protobuf';
import type { LabelMatcher } from '../../gen/store-types_pb.ts';
import { LabelMatcher_Type, LabelMatcherSchema } from '../../gen/store-types_pb.ts';
import { CodedError } from '../../lib/errors.ts';
import { Matcher, type MatchType } from '../../model/matcher.ts';

/** Makes a matcher, or finds one that was made before. @throws CodedError bad_data when its pattern does not parse. */
export type MakeMatcher = (type: MatchType, name: string, value: string) => Matcher;

/** Makes every matcher anew. */
export const newMatcher: MakeMatcher = (type, name, value) => new Matcher(type, name, value);

const TYPES = new Map<number, MatchType>([
  [LabelMatcher_Type.EQ, '='],
  [LabelMatcher_Type.NEQ, '!='],
  [LabelMatcher_Type.RE, '=~'],
  [LabelMatcher_Type.NRE, '!~'],
]);

const NUMBERS: Readonly<Record<MatchType, LabelMatcher_Type>> = {
  '=': LabelMatcher_Type.EQ,
  '!=': LabelMatcher_Type.NEQ,
  '=~': LabelMatcher_Type.RE,
  '!~': LabelMatcher_Type.NRE,
};

/** The matchers of a message. @throws CodedError bad_data with Go's text. */
export function matchersOf(messages: readonly LabelMatcher[], make: MakeMatcher): Matcher[] {
  return messages.map(({ type: number, name, value }) => {
    const type = TYPES.get(number);
    if (type !== undefined) return make(type, name, value);
    throw new CodedError('bad_data', `unrecognized label matcher type ${number}`);
  });
}

/** The messages of matchers. */
export function matcherMessages(matchers: readonly Matcher[]): LabelMatcher[] {
  return matchers.map(({ type, name, value }) =>
    create(LabelMatcherSchema, { type: NUMBERS[type], name, value }),
  );
}
