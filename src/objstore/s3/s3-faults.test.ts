import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { s3ConfigText } from '../../../test/support/latency-bucket.ts';
import { errorXml, type S3ServerOptions, startS3Server } from '../../../test/support/s3-server.ts';
import { systemClock } from '../../lib/clock.ts';
import type { CodedError } from '../../lib/errors.ts';
import { nopLogger } from '../../lib/log.ts';
import { Random } from '../../lib/prng.ts';
import { encodeUtf8 } from '../../lib/utf8.ts';
import { type Bucket, isNotFound } from '../bucket.ts';
import { parseBucketConfig } from '../config.ts';
import { readObject } from '../read-object.ts';
import { openS3 } from './open-s3.ts';

/** What a bucket waits between tries, in milliseconds. */
type Waits = number[];

async function open(
  host: string,
  more: readonly string[] = [],
): Promise<{ readonly bucket: Bucket; readonly waits: Waits }> {
  const config = await parseBucketConfig({ text: s3ConfigText(host, more), name: 'test' });
  ok(config.type === 'S3');
  const waits: Waits = [];
  const bucket = await openS3(config.config, {
    clock: systemClock,
    log: nopLogger,
    env: {},
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
  });
  return { bucket, waits };
}

type Started = Awaited<ReturnType<typeof startS3Server>> & Awaited<ReturnType<typeof open>>;

async function start(server: S3ServerOptions = {}, more: readonly string[] = []): Promise<Started> {
  const started = await startS3Server(server);
  // A region that is known: no request but those of the test.
  return Object.assign(started, await open(started.host, ['region: us-east-1', ...more]));
}

const CONTENT = Uint8Array.from({ length: 700_001 }, (_, i) => i * 7);

async function fill(server: Started): Promise<void> {
  await server.bucket.upload('dir/a', CONTENT);
}

test('s3 faults: half of all requests fail, and nothing of it is seen', async () => {
  const seed = 20;
  console.log(`s3 faults: seed ${seed}`);
  await using server = await start({ seed });
  await fill(server);
  Object.assign(server.conditions, { failureRate: 0.3, cutRate: 0.1, truncateRate: 0.1 });
  const random = new Random(seed);
  for (let i = 0; i < 60; i++) {
    const [offset, length] = [random.below(700_000), 1 + random.below(200_000)];
    const bytes = await server.bucket.getRange('dir/a', { offset, length });
    ok(Buffer.from(bytes).equals(CONTENT.subarray(offset, offset + length)), `${offset} ${length}`);
  }
  for (let i = 0; i < 20; i++) {
    await server.bucket.upload(`dir/b${i}`, CONTENT.subarray(i));
    equal((await server.bucket.attributes(`dir/b${i}`)).size, CONTENT.length - i);
  }
  equal((await Array.fromAsync(server.bucket.iter('dir'))).length, 21);
  await server.bucket.delete('dir/a');
  equal(await server.bucket.exists('dir/a'), false);
  await server.bucket.close();
});

test('s3 faults: a store that only fails is asked as often as configured', async () => {
  await using server = await start({ conditions: { failureRate: 1 } }, ['max_retries: 4']);
  await rejects(server.bucket.getRange('dir/a', { offset: 0, length: 9 }), {
    code: 'unavailable',
    message:
      'get range of "dir/a", bucket thanos: the store answers 503 SlowDown: Please reduce your request rate' +
      ' (request id REQUEST, after 4 tries)',
  });
  equal(server.seen.length, 4);
  equal(server.waits.length, 3);
  // 200 ms doubled up to 1 s, shortened by half at most.
  for (const [i, wait] of server.waits.entries()) {
    const most = Math.min(1000, 200 * 2 ** i);
    ok(wait >= most / 2 && wait <= most, `${wait}`);
  }
  await server.bucket.close();
  await using patient = await start({
    conditions: { failureRate: 1, failureHeaders: { 'retry-after': '7' } },
  });
  await rejects(patient.bucket.exists('a'), /after 10 tries/);
  deepEqual(patient.waits, Array(9).fill(7000));
  patient.conditions.failureHeaders = { 'retry-after': '3600' };
  await rejects(patient.bucket.exists('a'), { code: 'unavailable' });
  equal(patient.seen.length, 11);
  await patient.bucket.close();
});

test('s3 faults: what will not change is not tried again', async () => {
  const f = async (
    status: number,
    body: string,
    check: (error: CodedError) => void,
  ): Promise<void> => {
    await using server = await start({
      intercept: (_, answer) => {
        answer.writeHead(status);
        answer.end(body);
        return true;
      },
    });
    await rejects(server.bucket.get('a'), (thrown) => {
      check(thrown as CodedError);
      return true;
    });
    equal(server.seen.length, 1);
    await server.bucket.close();
  };
  await f(400, errorXml('InvalidArgument', 'No.'), ({ message }) =>
    match(message, /400 InvalidArgument: No /),
  );
  await f(403, errorXml('AccessDenied', 'No.'), ({ name }) => equal(name, 'AccessDeniedError'));
  await f(404, errorXml('NoSuchKey', 'No.'), (error) => ok(isNotFound(error)));
  // The bucket is missing, or a proxy speaks: that must not pass for an object that is not there.
  for (const body of [errorXml('NoSuchBucket', 'No.'), '<html>not found</html>', '']) {
    await f(404, body, ({ code }) => equal(code, 'unavailable'));
  }
});

test('s3 faults: content that breaks off never passes for whole', async () => {
  await using server = await start();
  await fill(server);
  server.conditions.truncateRate = 1;
  await rejects(server.bucket.getRange('dir/a', { offset: 0, length: 500_000 }), {
    code: 'unavailable',
    message: /after 10 tries/,
  });
  // Each answer brings half of what is left; the sixth is the last.
  await rejects(readObject(server.bucket, 'dir/a'), {
    code: 'unavailable',
    message: /^get "dir\/a", bucket thanos: .*, after 6890\d\d of 700001 bytes$/,
  });
  server.conditions.truncateRate = 0.2;
  for (let i = 0; i < 20; i++) {
    const got = await readObject(server.bucket, 'dir/a');
    ok(Buffer.from(got).equals(CONTENT));
  }
  // A listing that breaks off is asked for again.
  let lists = 0;
  await using cut = await start({
    intercept: (request, answer) => {
      if (!request.url?.includes('list-type') || ++lists > 1) return false;
      answer.end('<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>');
      return true;
    },
  });
  await rejects(Array.fromAsync(cut.bucket.iter('')), { code: 'unavailable', message: /no whole/ });
  await Promise.all([server.bucket.close(), cut.bucket.close()]);
});

test('s3 faults: an object that is replaced while its content is resumed', async () => {
  await using server = await start();
  await fill(server);
  server.conditions.truncateRate = 1;
  await using stream = await server.bucket.get('dir/a');
  server.objects.put('dir/a', Buffer.alloc(700_001, 1));
  let bytes = 0;
  await rejects(
    async () => {
      for await (const chunk of stream) {
        ok(Buffer.from(chunk).equals(CONTENT.subarray(bytes, bytes + chunk.length)));
        bytes += chunk.length;
      }
    },
    { code: 'unavailable', message: /412 PreconditionFailed/ },
  );
  await server.bucket.close();
});

test('s3 faults: a store that does not answer', async () => {
  await using server = await start({ conditions: { hangRate: 1 } }, [
    'max_retries: 1',
    'http_config: {response_header_timeout: 300ms}',
  ]);
  await rejects(server.bucket.exists('a'), {
    code: 'unavailable',
    message: /^look for "a", bucket thanos: Headers Timeout Error/,
  });
  await server.bucket.close();
  await using patient = await start({ conditions: { hangRate: 1 } });
  const controller = new AbortController();
  const asked = patient.bucket.getRange(
    'a',
    { offset: 0, length: 1 },
    { signal: controller.signal },
  );
  setImmediate(() => controller.abort());
  await rejects(asked, { code: 'canceled' });
  const { signal } = new AbortController();
  const late = patient.bucket.exists('a', {
    signal: AbortSignal.any([signal, AbortSignal.timeout(20)]),
  });
  await rejects(late, { code: 'timeout' });
  await patient.bucket.close();
});

test('s3 faults: a store that is down, and comes back', async () => {
  const server = await start({}, ['max_retries: 3']);
  await fill(server);
  const port = Number(server.host.split(':')[1]);
  await server[Symbol.asyncDispose]();
  const { bucket, waits } = server;
  await rejects(bucket.exists('dir/a'), {
    code: 'unavailable',
    message: /^look for "dir\/a", bucket thanos: .*ECONNREFUSED.* \(after 3 tries\)$/,
  });
  equal(waits.length, 2);
  await using again = await startS3Server();
  await again[Symbol.asyncDispose]();
  const back = new (again.constructor as new (options: object) => typeof again)({});
  await back.listen(port);
  equal(await bucket.exists('dir/a'), false);
  await bucket.upload('dir/a', CONTENT);
  equal(await bucket.exists('dir/a'), true);
  await bucket.close();
  await back[Symbol.asyncDispose]();
});

test('s3 faults: an upload in parts that fails leaves no parts', async () => {
  const failing = { status: 500, part: 2 };
  await using server = await start(
    {
      intercept: (request, answer) => {
        if (!request.url?.includes(`partNumber=${failing.part}&`)) return false;
        answer.writeHead(failing.status);
        answer.end(errorXml(failing.status === 500 ? 'InternalError' : 'AccessDenied', 'No.'));
        return true;
      },
    },
    ['part_size: 5242880', 'max_retries: 2'],
  );
  const body = new Uint8Array(17_000_000);
  async function* stream(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < body.length; at += 1_000_000) yield body.subarray(at, at + 1_000_000);
  }
  await rejects(server.bucket.upload('a', body), {
    message: /^upload part 2 of "a", bucket thanos/,
  });
  await rejects(server.bucket.upload('a', { stream: stream() }), { message: /part 2 of "a"/ });
  failing.status = 403;
  await rejects(server.bucket.upload('a', body), { name: 'AccessDeniedError' });
  await server.bucket.close();
  // The bucket's end waits for what is cleaned up.
  equal(server.uploads.size, 0);
  equal(server.objects.get('a'), undefined);
});

test('s3 faults: the answer to the end of an upload in parts is lost', async () => {
  let lost = 0;
  await using server = await start(
    {
      intercept: async (request, answer) => {
        if (request.method !== 'POST' || !request.url?.includes('uploadId') || lost++ > 0)
          return false;
        // What the server would do, without its answer.
        const [upload] = server.uploads.values();
        const chunks = [...(upload?.parts ?? [])]
          .toSorted(([a], [b]) => a - b)
          .map(([, part]) => part);
        const { createHash } = await import('node:crypto');
        const hash = createHash('md5');
        for (const chunk of chunks) hash.update(createHash('md5').update(chunk).digest());
        server.objects.put('a', Buffer.concat(chunks), {
          etag: `${hash.digest('hex')}-${chunks.length}`,
        });
        server.uploads.clear();
        answer.destroy();
        return true;
      },
    },
    ['part_size: 5242880'],
  );
  await server.bucket.upload('a', new Uint8Array(11_000_000).fill(3));
  equal(lost, 2);
  equal((await server.bucket.attributes('a')).size, 11_000_000);
  // Not there, or another object: the failure is reported.
  lost = 1;
  server.uploads.clear();
  await using other = await start(
    {
      intercept: (request) => {
        if (request.method === 'POST' && request.url?.includes('uploadId')) other.uploads.clear();
        return false;
      },
    },
    ['part_size: 5242880'],
  );
  await rejects(other.bucket.upload('a', new Uint8Array(11_000_000)), /does not exist|404/);
  await Promise.all([server.bucket.close(), other.bucket.close()]);
});

test('s3 faults: the end of an upload in parts fails in an answer of 200', async () => {
  let failures = 2;
  await using server = await start(
    {
      intercept: (request, answer) => {
        const isEnd = request.method === 'POST' && request.url?.includes('uploadId') === true;
        if (!isEnd || failures-- <= 0) return false;
        answer.end(errorXml('InternalError', 'We encountered an internal error.'));
        return true;
      },
    },
    ['part_size: 5242880'],
  );
  const body = new Uint8Array(11_000_000).fill(3);
  await server.bucket.upload('a', body);
  equal((await server.bucket.attributes('a')).size, body.length);
  failures = Infinity;
  await rejects(server.bucket.upload('b', body), /complete the upload of "b".*InternalError/);
  await server.bucket.close();
  equal(server.objects.get('b'), undefined);
  equal(server.uploads.size, 0);
});

test('s3 faults: an answer that is garbage', async () => {
  const seed = 3;
  console.log(`s3 faults: seed ${seed}`);
  const random = new Random(seed);
  await using server = await start({
    intercept: (_, answer) => {
      answer.writeHead(random.below(2) === 0 ? 200 : 206, {
        'content-length': String(random.below(40)),
        'content-range': random.below(2) === 0 ? 'bytes 5-9/10' : 'nonsense',
      });
      answer.end(Buffer.from(Array.from({ length: 60 }, () => random.below(256))));
      return true;
    },
  });
  const { bucket } = server;
  for (let i = 0; i < 40; i++) {
    const range = { offset: 2, length: 10 };
    // Bytes or an error of ours, and never more than was asked for.
    await bucket.getRange('a', range).then(
      (bytes) => ok(bytes.length <= 10),
      (thrown: unknown) => equal((thrown as CodedError).code, 'unavailable'),
    );
    await rejects(Array.fromAsync(bucket.iter('')), { code: 'unavailable' });
    await rejects(bucket.attributes('a'), { code: 'unavailable' });
  }
  await bucket.upload('a', encodeUtf8('x')).catch((thrown: unknown) => {
    equal((thrown as CodedError).code, 'unavailable');
  });
  await bucket.close();
});
