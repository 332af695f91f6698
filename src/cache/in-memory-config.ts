/** The configuration of caches in memory. Behaviour: thanos pkg/cache/inmemory.go, pkg/store/cache/inmemory.go. */
import type { StrictYaml, YamlPath } from '../lib/strict-yaml.ts';
import { cacheFields } from './config-fields.ts';

/** `config` of type IN-MEMORY. */
export interface InMemoryConfig {
  /** Of all memory that the cache takes. */
  readonly bytesMax: number;
  /** Of one value. */
  readonly itemBytesMax: number;
}

/** What Go has when nothing is said. */
export const IN_MEMORY_DEFAULTS: InMemoryConfig = {
  bytesMax: 250 * 1024 * 1024,
  itemBytesMax: 125 * 1024 * 1024,
};

/** A configuration of which only the size is known; Go refuses one that is below its default for single values. */
export function inMemoryOfSize(bytesMax: number): InMemoryConfig {
  return { bytesMax, itemBytesMax: Math.min(bytesMax, IN_MEMORY_DEFAULTS.itemBytesMax) };
}

const LEFT_OUT = -1;

/** Reads it. @throws CodedError bad_data with file, line and field. */
export function readInMemoryConfig(yaml: StrictYaml, path: YamlPath): InMemoryConfig {
  const given = yaml.read(path, (z) => {
    const { size } = cacheFields(z);
    return z
      .strictObject({
        max_size: size(IN_MEMORY_DEFAULTS.bytesMax),
        max_item_size: size(LEFT_OUT),
      })
      .optional();
  });
  if (given === undefined) return IN_MEMORY_DEFAULTS;
  const { max_size: bytesMax, max_item_size: itemBytesMax } = given;
  if (itemBytesMax === LEFT_OUT) return inMemoryOfSize(bytesMax);
  if (itemBytesMax > bytesMax) {
    const what = `max item size (${itemBytesMax}) cannot be bigger than overall cache size (${bytesMax})`;
    throw yaml.errorAt([...path, 'max_item_size'], what);
  }
  return { bytesMax, itemBytesMax };
}
