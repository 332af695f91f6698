/** The first query of the README, typed as it stands there, against a server that has only watched itself. */
import { equal, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT, startAll } from '../support/server-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

interface Answer {
  readonly status: string;
  readonly data: { readonly result: readonly { readonly metric: Record<string, string> }[] };
}

test('the first query of the README shows something soon after the start', async () => {
  const line = /^curl .*$/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[0];
  ok(line !== undefined, 'the README has a curl command');
  using directory = temporaryDirectory();
  const server = await startAll({ dataDir: directory.path });
  try {
    const command = line.replace('http://127.0.0.1:10902', server.api);
    let answer: Answer | undefined;
    // Two looks at the metrics, 15 s apart, make a rate.
    for (let tries = 0; tries < 40 && (answer?.data.result.length ?? 0) === 0; tries++) {
      await sleep(1000);
      answer = JSON.parse(
        execFileSync('sh', ['-c', command], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      ) as Answer;
      equal(answer.status, 'success');
    }
    equal(answer?.data.result[0]?.metric['job'], 'thanos');
  } finally {
    equal(await server.process.stop(), 0);
  }
});
