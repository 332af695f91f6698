/** Generated messages as the plain objects that recorded answers are: names of fields, 64-bit integers as texts, no defaults. */
import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import type { ReflectMessage } from '@bufbuild/protobuf/reflect';
import { reflect } from '@bufbuild/protobuf/reflect';

type Plain = Record<string, unknown>;

/** The plain form of a message. */
export function plainMessage(schema: DescMessage, message: Message): Plain {
  return plainOf(reflect(schema, message));
}

function plainOf(message: ReflectMessage): Plain {
  const entries = message.fields
    .filter((field) => message.isSet(field))
    .map((field) => [field.name, plainField(message, field)] as const);
  return Object.fromEntries(entries);
}

function plainField(message: ReflectMessage, field: DescField): unknown {
  switch (field.fieldKind) {
    case 'message':
      return plainOf(message.get(field));
    case 'list':
      return [...message.get(field)].map((item) =>
        field.listKind === 'message' ? plainOf(item as ReflectMessage) : plainScalar(field, item),
      );
    case 'map':
      return Object.fromEntries(
        [...message.get(field)].map(([key, value]) => [
          String(key),
          field.mapKind === 'message'
            ? plainOf(value as ReflectMessage)
            : plainScalar(field, value),
        ]),
      );
    case 'scalar':
    case 'enum':
      return plainScalar(field, message.get(field));
  }
}

function plainScalar(field: DescField, value: unknown): unknown {
  if (field.enum !== undefined) return field.enum.value[Number(value)]?.name ?? value;
  if (field.scalar === ScalarType.BYTES) return Buffer.from(value as Uint8Array).toString('base64');
  return typeof value === 'bigint' ? value.toString() : value;
}
