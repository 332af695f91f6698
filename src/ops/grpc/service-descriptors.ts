/** What health and reflection say of themselves: encoded FileDescriptorProtos, from their published definitions. */
import { writeFields } from './protobuf.ts';

/** FieldDescriptorProto.Type and Label. */
const TYPE = { int32: 5, string: 9, message: 11, bytes: 12, enum: 14 };
const LABEL = { optional: 1, repeated: 3 };

type Content = number | string | Uint8Array;
type Field = readonly [number: number, content: Content];

interface FieldOptions {
  readonly repeated?: boolean;
  /** Full name of a message or an enum. */
  readonly of?: string;
  /** Which oneof it belongs to. */
  readonly oneof?: number;
}

/** A FieldDescriptorProto. */
function field(
  name: string,
  number: number,
  type: keyof typeof TYPE,
  { repeated = false, of, oneof }: FieldOptions = {},
): Field {
  return [
    2,
    writeFields(
      [1, name],
      [3, number],
      [4, repeated ? LABEL.repeated : LABEL.optional],
      [5, TYPE[type]],
      ...optional(6, of === undefined ? undefined : `.${of}`),
      ...optional(9, oneof),
    ),
  ];
}

function optional(number: number, content: Content | undefined): Field[] {
  return content === undefined ? [] : [[number, content]];
}

/** A DescriptorProto as a field of a file, or of another message. */
function message(name: string, fields: readonly Field[], options: readonly Field[] = []): Field {
  return [4, writeFields([1, name], ...fields, ...options)];
}

/** A ServiceDescriptorProto; methods as name, input, output, and which sides stream. */
function service(
  name: string,
  methods: readonly {
    readonly name: string;
    readonly input: string;
    readonly output: string;
    readonly clientStreams?: boolean;
    readonly serverStreams?: boolean;
  }[],
): Field {
  const list = methods.map((method): Field => {
    const { clientStreams = false, serverStreams = false } = method;
    return [
      2,
      writeFields(
        [1, method.name],
        [2, `.${method.input}`],
        [3, `.${method.output}`],
        ...optional(5, clientStreams ? 1 : undefined),
        ...optional(6, serverStreams ? 1 : undefined),
      ),
    ];
  });
  return [6, writeFields([1, name], ...list)];
}

function file(name: string, scope: string, content: readonly Field[]): Uint8Array {
  return writeFields([1, name], [2, scope], ...content, [12, 'proto3']);
}

function health(): Uint8Array {
  const scope = 'grpc.health.v1';
  const [request, response] = [`${scope}.HealthCheckRequest`, `${scope}.HealthCheckResponse`];
  const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
  const status: Field = [
    4,
    writeFields(
      [1, 'ServingStatus'],
      ...statuses.map((name, number): Field => [2, writeFields([1, name], [2, number])]),
    ),
  ];
  const list = `${scope}.HealthListResponse`;
  // A map field is a repeated message that is marked as the entry of a map.
  const entry: Field = [
    3,
    writeFields(
      [1, 'StatusesEntry'],
      field('key', 1, 'string'),
      field('value', 2, 'message', { of: response }),
      [7, writeFields([7, 1])],
    ),
  ];
  return file('grpc/health/v1/health.proto', scope, [
    message('HealthCheckRequest', [field('service', 1, 'string')]),
    message(
      'HealthCheckResponse',
      [field('status', 1, 'enum', { of: `${response}.ServingStatus` })],
      [status],
    ),
    message('HealthListRequest', []),
    message(
      'HealthListResponse',
      [field('statuses', 1, 'message', { repeated: true, of: `${list}.StatusesEntry` })],
      [entry],
    ),
    service('Health', [
      { name: 'Check', input: request, output: response },
      { name: 'List', input: `${scope}.HealthListRequest`, output: list },
      { name: 'Watch', input: request, output: response, serverStreams: true },
    ]),
  ]);
}

function reflection(version: string): Uint8Array {
  const scope = `grpc.reflection.${version}`;
  const of = (name: string, options: FieldOptions = {}): FieldOptions => ({
    of: `${scope}.${name}`,
    ...options,
  });
  const one = { oneof: 0 };
  const many = { repeated: true };
  const oneof = (name: string): Field => [8, writeFields([1, name])];
  return file(`grpc/reflection/${version}/reflection.proto`, scope, [
    message(
      'ServerReflectionRequest',
      [
        field('host', 1, 'string'),
        field('file_by_filename', 3, 'string', one),
        field('file_containing_symbol', 4, 'string', one),
        field('file_containing_extension', 5, 'message', of('ExtensionRequest', one)),
        field('all_extension_numbers_of_type', 6, 'string', one),
        field('list_services', 7, 'string', one),
      ],
      [oneof('message_request')],
    ),
    message('ExtensionRequest', [
      field('containing_type', 1, 'string'),
      field('extension_number', 2, 'int32'),
    ]),
    message(
      'ServerReflectionResponse',
      [
        field('valid_host', 1, 'string'),
        field('original_request', 2, 'message', of('ServerReflectionRequest')),
        field('file_descriptor_response', 4, 'message', of('FileDescriptorResponse', one)),
        field('all_extension_numbers_response', 5, 'message', of('ExtensionNumberResponse', one)),
        field('list_services_response', 6, 'message', of('ListServiceResponse', one)),
        field('error_response', 7, 'message', of('ErrorResponse', one)),
      ],
      [oneof('message_response')],
    ),
    message('FileDescriptorResponse', [field('file_descriptor_proto', 1, 'bytes', many)]),
    message('ExtensionNumberResponse', [
      field('base_type_name', 1, 'string'),
      field('extension_number', 2, 'int32', many),
    ]),
    message('ListServiceResponse', [field('service', 1, 'message', of('ServiceResponse', many))]),
    message('ServiceResponse', [field('name', 1, 'string')]),
    message('ErrorResponse', [
      field('error_code', 1, 'int32'),
      field('error_message', 2, 'string'),
    ]),
    service('ServerReflection', [
      {
        name: 'ServerReflectionInfo',
        input: `${scope}.ServerReflectionRequest`,
        output: `${scope}.ServerReflectionResponse`,
        clientStreams: true,
        serverStreams: true,
      },
    ]),
  ]);
}

/** grpc/health/v1/health.proto. */
export const HEALTH_DESCRIPTOR: Uint8Array = health();

/** grpc/reflection/v1/reflection.proto and its v1alpha. */
export const REFLECTION_DESCRIPTORS: readonly Uint8Array[] = ['v1', 'v1alpha'].map(reflection);
