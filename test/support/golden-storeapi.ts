/** Recorded StoreAPI messages (test/golden/storeapi). */
import { readFileSync } from 'node:fs';
import { splitFrames } from './recorded-frames.ts';

function read(name: string): Buffer {
  return readFileSync(new URL(`../golden/storeapi/${name}.bin`, import.meta.url));
}

/** The request of a call. */
export function recordedRequest(name: string): Buffer {
  return read(`${name}.request`);
}

/** The first message of a call's answer. */
export function recordedResponse(name: string): Buffer {
  const [frame] = splitFrames(read(`${name}.response`));
  if (frame === undefined) throw new Error(`${name} has no answer`);
  return frame;
}
