/** Calls that are wrong here although the language has them. */
import { type Scanned, lineAt } from './scan.ts';
import { type Finding, type Module, type Tree } from './tree.ts';

interface Ban {
  readonly rule: string;
  readonly pattern: RegExp;
  readonly where: (file: string) => boolean;
  readonly message: string;
  /** Whether `// tidy: <rule>: <reason>` on the line or the one above makes an exception. */
  readonly byComment: boolean;
}

const inSrc = (file: string): boolean => file.startsWith('src/');
const belowOps = (file: string): boolean => inSrc(file) && !/^src\/(?:lib|ops|cmd)\//.test(file);

const BANS: readonly Ban[] = [
  {
    rule: 'locale-compare',
    pattern: /(?<![\w$])localeCompare\b/g,
    where: () => true,
    message: 'localeCompare depends on the machine; compareUtf8 is the order of labels',
    byComment: false,
  },
  {
    rule: 'bare-sort',
    pattern: /\.\s*(?:sort|toSorted)\s*\(\s*\)/g,
    where: inSrc,
    message:
      'sort without a comparator orders by UTF-16; pass compareUtf8, or say "// tidy: bare-sort: typed array"',
    byComment: true,
  },
  {
    rule: 'date-now',
    pattern: /(?<![\w$.])Date\s*\.\s*now\b/g,
    where: belowOps,
    message: 'take a Clock: only lib, ops and cmd read the time',
    byComment: false,
  },
  {
    rule: 'math-random',
    pattern: /(?<![\w$.])Math\s*\.\s*random\b/g,
    where: belowOps,
    message: 'take a seeded generator: only lib, ops and cmd make random numbers',
    byComment: false,
  },
  {
    rule: 'bare-regexp',
    // A literal pattern is ours: `new RegExp('…')` and `new RegExp(/…/)`.
    pattern: /(?<![\w$.])RegExp\s*\((?!\s*(?:'[^']*'|"[^"]*"|\/[^/]*\/)\s*[,)])/g,
    where: (file) => inSrc(file) && !file.startsWith('src/model/'),
    message: 'a pattern made at run time may take for ever; use a matcher of model, or say why not',
    byComment: true,
  },
];

/** Finds banned calls in the code of all modules. */
export function checkCalls(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    const comments = commentsByLine(module);
    for (const ban of BANS) {
      if (ban.where(module.file)) findings.push(...uses(module, ban, comments));
    }
  }
  return findings;
}

function uses(module: Module, ban: Ban, comments: ReadonlyMap<number, string>): Finding[] {
  const findings: Finding[] = [];
  for (const match of module.code.matchAll(ban.pattern)) {
    const line = lineAt(module.text, match.index);
    const said = `${comments.get(line) ?? ''}\n${comments.get(line - 1) ?? ''}`;
    if (ban.byComment && new RegExp(`tidy: ${ban.rule}: \\S`).test(said)) continue;
    findings.push({ file: module.file, line, rule: ban.rule, message: ban.message });
  }
  return findings;
}

function commentsByLine(source: Scanned): Map<number, string> {
  const found = new Map<number, string>();
  for (const { start, text } of source.comments) {
    const line = lineAt(source.text, start);
    found.set(line, `${found.get(line) ?? ''}${text}`);
  }
  return found;
}
