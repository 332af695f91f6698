/** A google.protobuf.Any: a message of any type, whose name travels with it. */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import { CodedError } from '../../lib/errors.ts';
import { decodeMessage } from '../decode-message.ts';

/** An Any as it is in a message; its bytes are part of that message's. */
export interface AnyMessage {
  /** `type.googleapis.com/hintspb.SeriesRequestHints`. */
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

const URL_PREFIX = 'type.googleapis.com/';

/** A message as Any. */
export function packAny<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): AnyMessage {
  return { typeUrl: `${URL_PREFIX}${schema.typeName}`, value: toBinary(schema, message) };
}

/** The message in an Any. @throws CodedError bad_data with Go's text when it is of another type; corrupt. */
export function unpackAny<Desc extends DescMessage>(
  schema: Desc,
  { typeUrl, value }: AnyMessage,
): MessageShape<Desc> {
  const slash = typeUrl.lastIndexOf('/');
  if (slash < 0) {
    throw new CodedError('bad_data', `message type url ${JSON.stringify(typeUrl)} is invalid`);
  }
  const name = typeUrl.slice(slash + 1);
  if (name === schema.typeName) return decodeMessage(schema, value);
  const text = `mismatched message type: got ${JSON.stringify(name)} want ${JSON.stringify(schema.typeName)}`;
  throw new CodedError('bad_data', text);
}

/** The plain form of a field of type Any. */
export function anyOf(any: Any | undefined): { readonly hints?: AnyMessage } {
  return any === undefined ? {} : { hints: { typeUrl: any.typeUrl, value: any.value } };
}

/** The field of type Any. */
export function anyField(any: AnyMessage | undefined): { readonly hints?: Any } {
  return any === undefined ? {} : { hints: create(AnySchema, { ...any }) };
}

/** The bytes of an Any, for whoever writes the message around it himself. */
export function encodeAny(any: AnyMessage): Uint8Array {
  return toBinary(AnySchema, create(AnySchema, { ...any }));
}
