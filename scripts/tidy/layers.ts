/**
 * Who may import whom. A level imports only lower levels, and siblings on one level never import each other; tsdb,
 * promql and components have an order inside as well. Workers named by URL and type-only imports count like others.
 */
import { resolveReference } from './imports.ts';
import { type Finding, type Module, type Tree, isTest } from './tree.ts';

const LEVELS: readonly (readonly string[])[] = [
  ['lib', 'kernels', 'gen'],
  ['model'],
  ['chunkenc'],
  ['storage', 'ops', 'cache', 'discovery'],
  ['tsdb', 'promql', 'objstore'],
  ['dedup', 'downsample', 'rules', 'bucket'],
  ['rpc'],
  ['http'],
  ['components'],
  ['cmd'],
];

const LEVEL_OF = new Map(LEVELS.flatMap((names, level) => names.map((name) => [name, level])));

/** Layers that see less than all lower levels. */
const SEES_ONLY = new Map<string, readonly string[]>([
  ['chunkenc', ['lib', 'kernels', 'model']],
  ['promql', ['lib', 'kernels', 'model', 'chunkenc', 'storage']],
]);

/** Generated protobuf stays at the edge: messages are converted to model there. */
const SEE_GEN: readonly string[] = ['rpc', 'http'];

/** Orders inside a layer, lowest first; files that lie directly in the layer are above all of them. */
const INNER: ReadonlyMap<string, readonly (readonly string[])[]> = new Map([
  ['tsdb', [['chunks'], ['index'], ['wal'], ['head', 'block'], ['compact']]],
  ['promql', [['funcs'], ['parse'], ['plan'], ['exec']]],
  [
    'components',
    [
      [
        'sidecar',
        'querier',
        'gateway',
        'receiver',
        'compactor',
        'ruler',
        'frontend',
        'tools',
        'bench',
      ],
      ['all'],
    ],
  ],
]);

/** Files outside src that any file in src may import. */
const OUTSIDE: readonly string[] = ['package.json'];

/** Checks imports between the layers of src and inside them. */
export function checkLayers(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    if (!module.file.startsWith('src/')) continue;
    const place = misplaced(module.file);
    if (place !== undefined) {
      findings.push({ file: module.file, line: 1, rule: 'layers', message: place });
      continue;
    }
    for (const { specifier, line } of module.references) {
      const target = resolveReference(module.file, specifier);
      if (target === undefined) continue;
      const message = target.startsWith('src/')
        ? forbiddenInside(module.file, target)
        : forbiddenOutside(module, target);
      if (message !== undefined)
        findings.push({ file: module.file, line, rule: 'layers', message });
    }
  }
  return findings;
}

function misplaced(file: string): string | undefined {
  const [, layer = '', folder = '', ...rest] = file.split('/');
  if (!LEVEL_OF.has(layer)) return `no layer of src is called ${JSON.stringify(layer)}`;
  const inner = INNER.get(layer);
  if (inner === undefined || rest.length === 0 || inner.flat().includes(folder)) return undefined;
  return `src/${layer}/${folder} has no place in the order inside ${layer}; give it one in layers.ts`;
}

function forbiddenOutside(module: Module, target: string): string | undefined {
  if (OUTSIDE.includes(target)) return undefined;
  if (target.startsWith('test/') && isTest(module.file)) return undefined;
  return `src never imports ${target}, which lies outside src`;
}

function forbiddenInside(file: string, target: string): string | undefined {
  if (isTest(target) && !isTest(file)) return `no import from a test: ${target}`;
  const [, from = '', ...fromRest] = file.split('/');
  const [, to = '', ...toRest] = target.split('/');
  if (from === to) return forbiddenInLayer(from, fromRest, toRest);
  if (to === 'gen' && !SEE_GEN.includes(from)) return 'only rpc and http import gen';
  const fromLevel = LEVEL_OF.get(from) ?? 0;
  const toLevel = LEVEL_OF.get(to);
  if (toLevel === undefined) return undefined; // reported where that file is
  if (toLevel === fromLevel) return `${from} and ${to} are siblings on L${fromLevel}`;
  if (toLevel > fromLevel)
    return `${from} (L${fromLevel}) imports only lower levels, ${to} is L${toLevel}`;
  const sees = SEES_ONLY.get(from);
  if (sees !== undefined && !sees.includes(to))
    return `${from} sees only ${sees.join(', ')}, not ${to}`;
  return undefined;
}

function forbiddenInLayer(
  layer: string,
  from: readonly string[],
  to: readonly string[],
): string | undefined {
  const inner = INNER.get(layer);
  if (inner === undefined) return undefined;
  const rank = (rest: readonly string[]): number => {
    const found = rest.length < 2 ? -1 : inner.findIndex((names) => names.includes(rest[0] ?? ''));
    return found === -1 ? inner.length : found;
  };
  const [fromRank, toRank] = [rank(from), rank(to)];
  const name = (rest: readonly string[]): string => `${layer}/${rest[0] ?? ''}`;
  if (toRank > fromRank) return `${name(from)} lies below ${name(to)} and cannot import it`;
  if (toRank === fromRank && toRank < inner.length && from[0] !== to[0]) {
    return `${name(from)} and ${name(to)} are siblings`;
  }
  return undefined;
}
