/**
 * `npm run bench [-- name …]`: runs the benches by name, all by default, and prints JSON, a line each or
 * one for each thing that was measured. The server runs
 * from a fresh bundle, as it does where the package is installed. docs/design/0001 fixes data and method.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../test/support/server-process.ts';
import { benchBlock } from './macro/block.ts';
import { benchCompact } from './macro/compact.ts';
import { benchIngest } from './macro/ingest.ts';
import { benchReady } from './macro/ready.ts';
import { benchReplay } from './macro/replay.ts';
import { benchQueryHead } from './macro/query-head.ts';
import { benchQuery } from './macro/query.ts';
import { benchStore } from './macro/store.ts';
import { benchGrpc } from './micro/grpc.ts';
import { benchStartup } from './macro/startup.ts';
import { benchDecode } from './micro/decode.ts';

/** As bin/launch.sh starts it. */
const SERVER: readonly [string, ...string[]] = [
  process.execPath,
  '--initial-old-space-size=128',
  join(ROOT, 'dist/main.js'),
];

/** A bench gives one line, or several, each as soon as it is known. */
type Bench = () => Promise<unknown> | AsyncGenerator;

const BENCHES: Readonly<Record<string, Bench>> = {
  decode: benchDecode,
  startup: () => benchStartup(SERVER),
  ingest: () => benchIngest(SERVER),
  'ingest-200k': () => benchIngest(SERVER, 200_000),
  'ingest-1m': () => benchIngest(SERVER, 1_000_000),
  ready: () => benchReady(SERVER),
  replay: () => benchReplay(SERVER),
  query: () => benchQuery(SERVER),
  'query-head': () => benchQueryHead(SERVER),
  store: () => benchStore(SERVER),
  grpc: benchGrpc,
  block: () => benchBlock(),
  compact: () => benchCompact(),
};

const asked = process.argv.slice(2).filter((name) => !name.startsWith('-'));
const unknown = asked.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  console.error(
    `bench: no bench ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`,
  );
  process.exit(2);
}
const names = asked.length === 0 ? Object.keys(BENCHES) : asked;
const WITHOUT_SERVER = new Set(['decode', 'block', 'compact', 'grpc']);
if (names.some((name) => !WITHOUT_SERVER.has(name))) {
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
for (const name of names) {
  const result = BENCHES[name]?.();
  if (result === undefined || !(Symbol.asyncIterator in result))
    console.log(JSON.stringify(await result));
  else for await (const line of result) console.log(JSON.stringify(line));
}
