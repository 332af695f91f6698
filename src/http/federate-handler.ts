/** `GET /federate`: the newest samples, for a Prometheus that scrapes them. Behaviour: prometheus web/federate.go. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../lib/clock.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Counter, MetricsRegistry } from '../lib/metrics.ts';
import { clientSignal, sendPieces, sendTextError } from '../ops/http-body.ts';
import { requestId } from '../ops/request-id.ts';
import { parseMetricSelector } from '../promql/parse/parse.ts';
import type { FederateAnswer } from './federate.ts';
import { negotiateFederate } from './federate-format.ts';
import type { FederateFormat } from './federate-format.ts';
import { Form } from './form.ts';
import { toSpecs } from './matcher-specs.ts';
import type { MatcherSpec } from './tsdb-service.ts';

/** What is asked for, as plain data. */
export interface FederateRequest {
  readonly matcherSets: readonly (readonly MatcherSpec[])[];
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly format: FederateFormat;
}

/** Answers federation: {@link federate} in whichever thread has the storage. */
export interface FederateService {
  /** Rejects with CodedError. */
  federate(request: FederateRequest, signal: AbortSignal): Promise<FederateAnswer>;
}

/** What the endpoint is made of. */
export interface FederateOptions {
  readonly service: FederateService;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** How far behind now samples may be (ms): `--query.lookback-delta`. */
  readonly lookbackDeltaMs: number;
}

/** Registers the endpoint; before the server listens. */
export function registerFederate(app: FastifyInstance, options: FederateOptions): void {
  const errors = options.metrics.counter(
    'prometheus_web_federation_errors_total',
    'Federation requests that failed.',
  );
  const warnings = options.metrics.counter(
    'prometheus_web_federation_warnings_total',
    'Warnings about what is missing from answers to federation requests.',
  );
  app.get('/federate', { config: { handler: 'federate' } }, (request, reply) =>
    handle({ ...options, errors, warnings }, request, reply),
  );
}

interface State extends FederateOptions {
  readonly errors: Counter;
  readonly warnings: Counter;
}

async function handle(state: State, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const signal = clientSignal(reply);
  try {
    const { format, ...asked } = parseRequest(state, request);
    const answer = await state.service.federate({ ...asked, format }, signal);
    if (answer.warnings.length > 0) {
      state.warnings.inc(answer.warnings.length);
      state.log.debug('federation is partial', { warnings: answer.warnings.join('; ') });
    }
    await sendPieces(request, reply, 200, format.contentType, answer.pieces);
  } catch (thrown) {
    if (signal.aborted) {
      reply.raw.destroy();
      return;
    }
    fail(state, request, reply, thrown);
  }
}

function parseRequest({ clock, lookbackDeltaMs }: State, request: FastifyRequest): FederateRequest {
  const selectors = Form.of(request).getAll('match[]');
  const matcherSets = selectors.map((selector) => toSpecs(parseMetricSelector(selector)));
  const maxt = clock.now();
  const format = negotiateFederate(request.headers.accept);
  return { matcherSets, mint: maxt - lookbackDeltaMs, maxt, format };
}

function fail(
  { log, errors }: State,
  request: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
): void {
  const status = statusOf(thrown);
  if (status !== 400) errors.inc();
  if (status === 500) {
    log.error('federation failed', { request_id: requestId(request), err: errorText(thrown) });
  }
  sendTextError(reply, status, errorText(thrown));
}

function statusOf(thrown: unknown): number {
  const code = thrown instanceof CodedError ? thrown.code : 'internal';
  if (code === 'bad_data') return 400;
  return code === 'unavailable' || code === 'timeout' || code === 'canceled' ? 503 : 500;
}
