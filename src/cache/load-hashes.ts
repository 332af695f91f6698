/** Loads the hashes of keys at first use. */
import type { Hashes } from './hashes.ts';

let loading: Promise<Hashes> | undefined;

/** Loads them; once a process. */
export function loadHashes(): Promise<Hashes> {
  // A file of ours, because a bundle cannot import a CommonJS package on demand.
  loading ??= import('./wasm-hashes.ts').then(({ instantiateHashes }) => instantiateHashes());
  return loading;
}
