/**
 * `/debug/pprof/` and `/debug/fgprof`. Behaviour: Go's net/http/pprof and felixge/fgprof; what only Go's runtime has is
 * answered with a sentence.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, errorText } from '../../lib/errors.ts';
import { clientSignal, sendTextError } from '../http-body.ts';
import type { HeapScope, Profiler } from './profiler.ts';
import type { ProfileClock } from './cpu-profile.ts';

/** As in Go. */
const CPU_SECONDS = 30;

/** How long allocations are watched where they have not been from the start. */
const HEAP_SECONDS = 5;

/** limit: a profile that is longer is several. */
const SECONDS_MAX = 600;

/** What there is, for the index. */
const PROFILES: readonly (readonly [string, string])[] = [
  ['profile', 'CPU profile of all threads, for seconds=N (30); V8 sees JavaScript and WebAssembly'],
  [
    'heap',
    'Bytes of the JavaScript heap that are in use, by who allocated them: since the start with DEBUG in the environment, otherwise in the next seconds=N (5); gc=1 collects garbage first',
  ],
  [
    'allocs',
    'Bytes that are allocated on the JavaScript heap in the next seconds=N (5), garbage included',
  ],
  ['symbol', 'Always 0 symbols: profiles have their names in them'],
];

/** What only Go's runtime has, and what there is instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  goroutine: 'there are no goroutines; /debug/fgprof shows what the threads do and wait for',
  block: 'nothing blocks on synchronization here; /debug/fgprof shows waiting',
  mutex: 'there are no mutexes; /debug/fgprof shows waiting',
  threadcreate: 'Node does not record who started a thread',
  trace: "there is no trace in the format of Go's runtime; /debug/pprof/profile samples the CPU",
};

/** Registers the endpoints. */
export function registerPprof(app: FastifyInstance, profiler: Profiler): void {
  app.get('/debug/pprof', (_request, reply) => reply.redirect('/debug/pprof/', 301));
  app.get('/debug/pprof/', (_request, reply) =>
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('x-content-type-options', 'nosniff')
      .send(INDEX),
  );
  const cpu = (clock: ProfileClock) => (request: FastifyRequest, reply: FastifyReply) =>
    answer(reply, clock === 'cpu' ? 'profile' : 'fgprof', () =>
      profiler.cpu(clock, 1000 * cpuSeconds(request), clientSignal(reply)),
    );
  app.get('/debug/pprof/profile', cpu('cpu'));
  app.get('/debug/fgprof', (request, reply) => {
    const { format = 'pprof' } = request.query as Readonly<Record<string, string>>;
    if (format === 'pprof') return cpu('wall')(request, reply);
    return refuse(reply, 400, `unknown format: ${JSON.stringify(format)}, expected pprof`);
  });
  const heap = (scope: HeapScope) => (request: FastifyRequest, reply: FastifyReply) =>
    answer(reply, scope === 'inuse' ? 'heap' : 'allocs', () => {
      const { seconds, gc, debug } = request.query as Readonly<Record<string, string>>;
      if (Number(debug ?? 0) !== 0) {
        throw new CodedError(
          'bad_data',
          'debug= has no text form here; open the profile with go tool pprof',
        );
      }
      const durationMs = 1000 * heapSeconds(seconds);
      const collect = Number(gc ?? 0) > 0;
      return profiler.heap({ scope, durationMs, collect, signal: clientSignal(reply) });
    });
  app.get('/debug/pprof/heap', heap('inuse'));
  app.get('/debug/pprof/allocs', heap('alloc'));
  app.get('/debug/pprof/symbol', (_request, reply) =>
    reply.header('content-type', 'text/plain; charset=utf-8').send('num_symbols: 0\n'),
  );
  // `cmdline` is unknown on purpose, as in Thanos: it may hold secrets.
  app.get('/debug/pprof/:name', (request, reply) => {
    const { name } = request.params as { name: string };
    const reason = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
    if (reason === undefined) return refuse(reply, 404, 'Unknown profile');
    return refuse(reply, 501, `${name}: not available, ${reason}`);
  });
}

/** compat: what is no number above 0 is the default. */
function cpuSeconds(request: FastifyRequest): number {
  const { seconds = '' } = request.query as Readonly<Record<string, string>>;
  const value = /^\d+$/.test(seconds) ? Number(seconds) : 0;
  return Math.min(value > 0 ? value : CPU_SECONDS, SECONDS_MAX);
}

/** @throws CodedError bad_data with Go's text. */
function heapSeconds(text: string | undefined): number {
  if (text === undefined) return HEAP_SECONDS;
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value > 0) return Math.min(value, SECONDS_MAX);
  throw new CodedError('bad_data', 'invalid value for "seconds" - must be a positive integer');
}

async function answer(
  reply: FastifyReply,
  name: string,
  take: () => Promise<Buffer>,
): Promise<FastifyReply> {
  try {
    const bytes = await take();
    return await reply
      .header('content-type', 'application/octet-stream')
      .header('content-disposition', `attachment; filename="${name}"`)
      .header('x-content-type-options', 'nosniff')
      .send(bytes);
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    if (thrown.code === 'bad_data') return refuse(reply, 400, thrown.message);
    return refuse(reply, 500, `Could not enable profiling: ${errorText(thrown)}`);
  }
}

function refuse(reply: FastifyReply, status: number, text: string): FastifyReply {
  return sendTextError(reply.header('x-go-pprof', '1'), status, text);
}

const INDEX = `<!DOCTYPE html>
<html>
<head><title>/debug/pprof/</title></head>
<body>
<h1>/debug/pprof/</h1>
<table>
${PROFILES.map(([name, what]) => `<tr><td><a href="${name}">${name}</a></td><td>${what}</td></tr>`).join('\n')}
<tr><td><a href="/debug/fgprof">fgprof</a></td><td>What all threads do, waiting included, for seconds=N (30)</td></tr>
</table>
<p>Not available, because only Go's runtime has them: ${Object.keys(ELSEWHERE).join(', ')}.</p>
</body>
</html>
`;
