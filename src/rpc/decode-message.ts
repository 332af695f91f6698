/** Reading of generated messages, with errors of ours. */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { fromBinary } from '@bufbuild/protobuf';
import { CodedError, errorText } from '../lib/errors.ts';

/** Reads a message. Its bytes fields are parts of `bytes`. @throws CodedError corrupt when the bytes are none. */
export function decodeMessage<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes);
  } catch (thrown) {
    const text = `the bytes are no ${schema.typeName}: ${errorText(thrown)}`;
    throw new CodedError('corrupt', text, { cause: thrown });
  }
}
