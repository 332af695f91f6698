/** What our services look like, for gRPC reflection. */
import type { DescFile } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { file_exemplars } from '../gen/exemplars_pb.ts';
import { file_hints } from '../gen/hints_pb.ts';
import { file_info } from '../gen/info_pb.ts';
import { file_metadata } from '../gen/metadata_pb.ts';
import { file_query } from '../gen/query_pb.ts';
import { file_rules } from '../gen/rules_pb.ts';
import { file_status } from '../gen/status_pb.ts';
import { file_store } from '../gen/store_pb.ts';
import { file_targets } from '../gen/targets_pb.ts';

/** Every file with a service. */
const FILES: readonly DescFile[] = [
  file_store,
  file_info,
  file_query,
  file_rules,
  file_targets,
  file_metadata,
  file_exemplars,
  file_status,
];

/** Files whose messages travel in Any fields of others, which do not import them. */
const CARRIED = new Map<DescFile, readonly DescFile[]>([[file_store, [file_hints]]]);

/**
 * The google.protobuf.FileDescriptorProto of each file that the services (`thanos.Store`) need, as bytes: a file comes behind
 * those that it imports, and once. Services that are not ours are passed over.
 */
export function fileDescriptors(services: readonly string[]): Uint8Array[] {
  const wanted = FILES.filter((file) =>
    file.services.some(({ typeName }) => services.includes(typeName)),
  );
  const files = new Set<DescFile>();
  const add = (file: DescFile): void => {
    if (files.has(file)) return;
    file.dependencies.forEach(add);
    files.add(file);
    CARRIED.get(file)?.forEach(add);
  };
  wanted.forEach(add);
  return [...files].map((file) => toBinary(FileDescriptorProtoSchema, file.proto));
}
