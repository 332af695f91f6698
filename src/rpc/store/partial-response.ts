/** What becomes of a request when one of several sources fails: fields that four requests have. */
import { PartialResponseStrategy } from '../../gen/store-types_pb.ts';

/** A source that fails becomes a warning, or fails the request. */
export type PartialResponse = 'warn' | 'abort';

interface StrategyFields {
  /** Superseded; senders of both mean the stricter one. */
  readonly partialResponseDisabled?: boolean;
  readonly partialResponseStrategy: PartialResponseStrategy;
}

/** What the fields of a request say. */
export function partialResponseOf(fields: StrategyFields): PartialResponse {
  const { partialResponseDisabled: disabled, partialResponseStrategy: strategy } = fields;
  return disabled === true || strategy === PartialResponseStrategy.ABORT ? 'abort' : 'warn';
}

/** The field of a request. */
export function strategyField(partialResponse: PartialResponse): StrategyFields {
  const { ABORT, WARN } = PartialResponseStrategy;
  return { partialResponseStrategy: partialResponse === 'abort' ? ABORT : WARN };
}
