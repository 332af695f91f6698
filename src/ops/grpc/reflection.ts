/**
 * Server reflection, v1 and v1alpha, which have the same messages: what tools such as grpcurl ask to learn what a server
 * speaks. Behaviour: grpc-go reflection.
 */
import { compareUtf8 } from '../../lib/utf8.ts';
import { HEALTH_DESCRIPTOR, REFLECTION_DESCRIPTORS } from './service-descriptors.ts';
import { DescriptorIndex } from './descriptor-index.ts';
import {
  type ProtobufField,
  bytesFields,
  numberField,
  readFields,
  textField,
  writeFields,
} from './protobuf.ts';
import type { GrpcServer } from './server.ts';
import { GrpcError, grpcCodeNumber } from './status.ts';

const METHODS = [
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
];

/** Fields of ServerReflectionRequest. */
const REQUEST = { host: 1, filename: 3, symbol: 4, extension: 5, extensionNumbers: 6, services: 7 };
/** Fields of ServerReflectionResponse. */
const RESPONSE = { host: 1, request: 2, files: 4, numbers: 5, services: 6, error: 7 };

/**
 * Adds both versions to a server. `fileDescriptors` are encoded FileDescriptorProtos: those of the server's services, and
 * of all that they import. Health and reflection describe themselves.
 */
export function addReflection(server: GrpcServer, fileDescriptors: readonly Uint8Array[]): void {
  const own = [HEALTH_DESCRIPTOR, ...REFLECTION_DESCRIPTORS];
  const index = new DescriptorIndex([...own, ...fileDescriptors]);
  for (const path of METHODS) {
    server.add(path, 'bidi', async (call, requests) => {
      // As in Go, a file goes over a stream once.
      const sent = new Set<string>();
      for await (const request of requests) await call.write(answer(server, index, sent, request));
    });
  }
}

function answer(
  server: GrpcServer,
  index: DescriptorIndex,
  sent: Set<string>,
  request: Uint8Array,
): Uint8Array {
  const fields = parse(request);
  const asked = fields.findLast(([number]) => number >= REQUEST.filename);
  const result = asked === undefined ? undefined : lookUp(server, index, sent, fields, asked[0]);
  if (result === undefined) {
    throw new GrpcError('InvalidArgument', 'invalid MessageRequest: no known question');
  }
  // Copied, because the request is a view of memory that the answer outlives.
  return writeFields(
    [RESPONSE.host, textField(fields, REQUEST.host)],
    [RESPONSE.request, request],
    result,
  );
}

function parse(request: Uint8Array): ProtobufField[] {
  try {
    return readFields(request);
  } catch (thrown) {
    const text = 'grpc: failed to unmarshal the received message';
    throw new GrpcError('Internal', text, { cause: thrown });
  }
}

function lookUp(
  server: GrpcServer,
  index: DescriptorIndex,
  sent: Set<string>,
  fields: readonly ProtobufField[],
  asked: number,
): readonly [number, Uint8Array] | undefined {
  const text = textField(fields, asked);
  const files = (file: string | undefined): readonly [number, Uint8Array] =>
    file === undefined ? notFound() : [RESPONSE.files, filesFrom(index, sent, file)];
  switch (asked) {
    case REQUEST.filename:
      return files(index.hasFile(text) ? text : undefined);
    case REQUEST.symbol:
      return files(index.fileOfSymbol(text));
    case REQUEST.extension: {
      const extension = readFields(bytesFields(fields, asked)[0] ?? new Uint8Array(0));
      return files(index.fileOfExtension(textField(extension, 1), numberField(extension, 2)));
    }
    case REQUEST.extensionNumbers: {
      const numbers = index.extensionNumbers(text);
      if (numbers === undefined) return notFound();
      const list = numbers.map((number): [number, number] => [2, number]);
      return [RESPONSE.numbers, writeFields([1, text], ...list)];
    }
    case REQUEST.services: {
      const names = server.services.toSorted(compareUtf8);
      const list = names.map((name): [number, Uint8Array] => [1, writeFields([1, name])]);
      return [RESPONSE.services, writeFields(...list)];
    }
    default:
      return undefined;
  }
}

/** A file with all that it imports and that the client does not have yet. */
function filesFrom(index: DescriptorIndex, sent: Set<string>, name: string): Uint8Array {
  const list: [number, Uint8Array][] = [];
  const visit = (file: string): void => {
    const found = index.file(file);
    if (found === undefined || sent.has(file)) return;
    sent.add(file);
    list.push([1, found.bytes]);
    for (const dependency of found.dependencies) visit(dependency);
  };
  // Asked for by name, it is sent again.
  sent.delete(name);
  visit(name);
  return writeFields(...list);
}

function notFound(): readonly [number, Uint8Array] {
  const code = grpcCodeNumber('NotFound');
  return [RESPONSE.error, writeFields([1, code], [2, 'proto: not found'])];
}
