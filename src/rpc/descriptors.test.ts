import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import { fileDescriptors } from './descriptors.ts';

/** The services of Thanos 0.43. */
const SERVICES = [
  'thanos.Store',
  'thanos.WriteableStore',
  'thanos.info.Info',
  'thanos.Query',
  'thanos.Rules',
  'thanos.Targets',
  'thanos.Metadata',
  'thanos.Exemplars',
  'thanos.Status',
];

function files(services: readonly string[]): FileDescriptorProto[] {
  return fileDescriptors(services).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

test('descriptors: all services with all that they need, in order', () => {
  const all = files(SERVICES);
  const before = new Set<string>();
  for (const { name, dependency } of all) {
    for (const one of dependency) ok(before.has(one), `${name} comes before ${one}`);
    ok(!before.has(name), `${name} comes twice`);
    before.add(name);
  }
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: all }));
  for (const service of SERVICES) ok(registry.getService(service) !== undefined, service);
  const store = registry.getService('thanos.Store');
  deepEqual(
    store?.methods.map(({ name, methodKind }) => [name, methodKind]),
    [
      ['Series', 'server_streaming'],
      ['LabelNames', 'unary'],
      ['LabelValues', 'unary'],
    ],
  );
  ok(registry.getMessage('hintspb.SeriesRequestHints') !== undefined);
});

test('descriptors: only what is asked for', () => {
  const names = (...services: string[]) => files(services).map(({ name }) => name);
  deepEqual(names('thanos.info.Info'), ['labels.proto', 'info.proto']);
  deepEqual(names('grpc.health.v1.Health'), []);
  equal(
    names('thanos.Store', 'thanos.WriteableStore').filter((n) => n === 'store.proto').length,
    1,
  );
});
