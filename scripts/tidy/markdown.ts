/** Links in Markdown files, and the blocks that say of themselves that they run. */
import path from 'node:path';

import { type Finding, type Tree } from './tree.ts';

/** A fenced block of a Markdown file. */
export interface Block {
  readonly file: string;
  /** 1-based line of the opening fence. */
  readonly line: number;
  /** The words after the fence: `sh run` is ['sh', 'run']. */
  readonly info: readonly string[];
  readonly text: string;
}

/** A block that runs, and what it must print when an output block follows. */
export interface RunnableBlock extends Block {
  readonly language: 'sh' | 'ts';
  readonly output: string | undefined;
}

const FENCE = /^( *)(`{3,})(.*)$/;

/** The fenced blocks of a text. */
export function blocks(file: string, text: string): Block[] {
  const found: Block[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const open = FENCE.exec(lines[i] ?? '');
    if (open === null) continue;
    const [, indent = '', fence = '', info = ''] = open;
    const inside: string[] = [];
    const line = i + 1;
    while (++i < lines.length && (lines[i] ?? '').trim() !== fence) {
      inside.push((lines[i] ?? '').slice(indent.length));
    }
    const words = info.trim().split(/\s+/);
    found.push({ file, line, info: words, text: inside.map((l) => `${l}\n`).join('') });
  }
  return found;
}

/** The blocks of README.md and docs/ that are marked `run`, with the `output` block that follows at once, if any. */
export function runnableBlocks(tree: Tree): RunnableBlock[] {
  const found: RunnableBlock[] = [];
  for (const [file, text] of tree.files) {
    if (file !== 'README.md' && file !== 'CONTRIBUTING.md' && !/^docs\/.*\.md$/.test(file))
      continue;
    const all = blocks(file, text);
    for (const [i, block] of all.entries()) {
      const [language] = block.info;
      if (!block.info.includes('run') || (language !== 'sh' && language !== 'ts')) continue;
      const next = all[i + 1];
      const output = next?.info.includes('output') === true ? next.text : undefined;
      found.push({ ...block, language, output });
    }
  }
  return found;
}

const LINK = /!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)/gm;

/** Relative links must lead to files that exist; `run` must stand on a block that can run. */
export function checkMarkdown(tree: Tree): Finding[] {
  const folders = foldersOf(tree.files.keys());
  const findings: Finding[] = [];
  for (const [file, text] of tree.files) {
    if (!file.endsWith('.md')) continue;
    // Fences and code spans hold no links; line numbers stay.
    const prose = text
      .replaceAll(/^( *)(`{3,})[\s\S]*?^\1\2 *$/gm, (block) => block.replaceAll(/[^\n]/g, ' '))
      .replaceAll(/`[^`\n]*`/g, (span) => ' '.repeat(span.length));
    for (const match of prose.matchAll(LINK)) {
      const target = match[1] ?? match[2] ?? '';
      if (/^(?:[a-z][a-z+.-]*:|#|\/\/)/i.test(target)) continue;
      const [bare = ''] = decodeURI(target).split('#');
      const base = bare.startsWith('/')
        ? bare.slice(1)
        : path.posix.join(path.posix.dirname(file), bare);
      const resolved = path.posix.normalize(base).replace(/\/$/, '');
      if (tree.files.has(resolved) || folders.has(resolved)) continue;
      const line = prose.slice(0, match.index).split('\n').length;
      findings.push({ file, line, rule: 'links', message: `${target} leads to no file` });
    }
    for (const { line, info } of blocks(file, text)) {
      if (!info.includes('run') || info[0] === 'sh' || info[0] === 'ts') continue;
      const message = `only sh and ts blocks run, not ${JSON.stringify(info[0])}`;
      findings.push({ file, line, rule: 'blocks', message });
    }
  }
  return findings;
}

function foldersOf(files: Iterable<string>): Set<string> {
  const found = new Set(['.']);
  for (const file of files) {
    for (let dir = path.posix.dirname(file); dir !== '.'; dir = path.posix.dirname(dir))
      found.add(dir);
  }
  return found;
}
