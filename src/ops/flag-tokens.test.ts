import assert from 'node:assert/strict';
import test from 'node:test';
import type { CommandSpec } from './flag-spec.ts';
import { parseArgs } from './flags.ts';

const tree: CommandSpec = {
  name: 'thanos',
  description: 'A store.',
  flags: [{ name: 'log.level', kind: 'string', default: 'info', help: 'Level.' }],
  commands: [
    {
      name: 'tools',
      description: 'Tools.',
      flags: [],
      commands: [
        {
          name: 'bucket',
          description: 'Bucket tools.',
          flags: [{ name: 'objstore', kind: 'string', help: 'Bucket.' }],
          commands: [
            {
              name: 'ls',
              description: 'Lists.',
              flags: [
                { name: 'output', short: 'o', kind: 'string', default: '', help: 'Format.' },
                { name: 'all', short: 'a', kind: 'bool', help: 'All.' },
                { name: 'brief', short: 'b', kind: 'bool', help: 'Brief.' },
                { name: 'min-time', kind: 'time', default: '-1h', help: 'From.' },
                { name: 'sort', kind: 'enum', values: ['A', 'B'], default: ['A', 'B'], help: 'S.' },
              ],
            },
            {
              name: 'mark',
              description: 'Marks.',
              flags: [
                { name: 'id', kind: 'string', repeatable: true, required: true, help: 'Ids.' },
                { name: 'marker', kind: 'string', required: true, help: 'Marker.' },
              ],
            },
          ],
        },
        { name: 'check', description: 'Checks.', flags: [] },
        { name: 'later', description: 'Not there yet.', flags: [], unchecked: true },
      ],
    },
  ],
};

function parse(line: string): ReturnType<typeof parseArgs> {
  return parseArgs(
    tree,
    line.split(' ').filter((word) => word !== ''),
  );
}

test('commands, flags between them, short flags', () => {
  const f = (line: string, command: string, shown: Record<string, string>) => {
    const result = parse(line);
    assert.equal(result.kind, 'values', JSON.stringify(result));
    if (result.kind !== 'values') return;
    assert.equal(result.command, command);
    const all = result.values.show();
    for (const [name, want] of Object.entries(shown)) assert.equal(all[name], want, line);
  };
  f('tools check', 'tools check', { 'log.level': 'info' });
  f('--log.level=debug tools check', 'tools check', { 'log.level': 'debug' });
  f('tools --log.level debug check', 'tools check', { 'log.level': 'debug' });
  f('tools bucket --objstore=x ls', 'tools bucket ls', { objstore: 'x', output: '' });
  f('tools bucket ls --objstore x -o json', 'tools bucket ls', { objstore: 'x', output: 'json' });
  f('tools bucket ls -ojson -ab', 'tools bucket ls', {
    output: 'json',
    all: 'true',
    brief: 'true',
  });
  f('tools bucket ls -abo wide', 'tools bucket ls', { output: 'wide', all: 'true' });
  f('tools bucket ls -o=json', 'tools bucket ls', { output: '=json' }); // as kingpin
  f('tools bucket -- ls', 'tools bucket ls', {});
  f('tools later --whatever -x word', 'tools later', {});
  f('tools bucket ls --min-time=2026-11-01T00:00:00Z', 'tools bucket ls', {
    'min-time': '2026-11-01T00:00:00Z',
  });
  f('tools bucket mark --id a --marker m --id=b', 'tools bucket mark', { id: 'a,b' });
});

test('errors in the words of kingpin', () => {
  const f = (line: string, want: string) =>
    assert.deepEqual(parse(line), {
      kind: 'error',
      message: `Error parsing commandline arguments: ${want}`,
    });
  f('', 'command not specified');
  f('tool', 'expected command but got "tool"');
  f('tools', "must select a subcommand of 'tools'");
  f('tools bucket', "must select a subcommand of 'tools bucket'");
  f('tools bucket lss', 'expected command but got "lss"');
  f('tools bucket ls extra', 'unexpected extra');
  f('--objstore=x tools bucket ls', "unknown long flag '--objstore'");
  f('tools bucket ls -x', "unknown short flag '-x'");
  f('tools bucket ls -ax', "unknown short flag '-x'");
  f('tools bucket ls -o', "expected argument for flag '-o'");
  f('tools bucket ls -o -a', "expected argument for flag '-o'");
  f('tools bucket ls --min-time=soon', `flag '--min-time': not a valid duration string: "soon"`);
  f('tools bucket ls -a -a', "flag 'all' cannot be repeated");
  f('tools bucket mark --id=a', "required flag(s) '--marker' not provided");
  f('tools bucket mark', "required flag(s) '--id', '--marker' not provided");
});

test('help at each level', () => {
  const f = (line: string, ...wants: RegExp[]) => {
    const result = parse(line);
    assert.equal(result.kind, 'help', line);
    for (const want of wants) assert.match(result.kind === 'help' ? result.text : '', want);
  };
  f('--help', /^usage: thanos \[<flags>\] <command> \[<args> \.\.\.\]\n\nA store\.\n/);
  f('--help', /\nCommands:\n {2}tools bucket ls \[<flags>\]\n {4}Lists\.\n/, /tools check/);
  f('help tools', /^usage: thanos tools \[<flags>\] <command>/);
  f('tools -h', /\nSubcommands:\n {2}tools bucket ls \[<flags>\]\n/, / {2}tools check/);
  f('tools bucket ls --help', /^usage: thanos tools bucket ls \[<flags>\]\n\nLists\.\n/);
  f('tools bucket ls --help', / {4}--log\.level="info"/, / {4}--objstore=OBJSTORE/);
  f('tools bucket ls --help', / -o, --output="" +Format\./, / -a, --\[no-\]all +All\./);
  f('tools bucket ls --help', / {4}--sort=A\.\.\. /, / {4}--min-time=-1h /);
  f(
    'tools bucket mark -h',
    /^usage: thanos tools bucket mark --id=ID --marker=MARKER \[<flags>\]\n/,
  );
});
