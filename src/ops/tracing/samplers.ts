/** Samplers by the names that the configurations have for them. Behaviour: thanos pkg/tracing/otlp and pkg/tracing/jaeger. */
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { RateLimiter } from '../rate-limiter.ts';
import type { JaegerConfig, OtlpConfig } from './tracing-config.ts';

/** What Jaeger's clients record while no server has told them. */
const JAEGER_INITIAL_RATE = 0.001;

/** compat: an unknown type, and a ratio that is none, record everything; the latter is said in the log. */
export function otlpSampler(config: OtlpConfig, log: Logger): Sampler {
  const { samplerType } = config;
  const bare = samplerType.replace(/^parentbased/, '');
  const sampler = bareSampler(bare, config.samplerParam, log);
  if (sampler === undefined) return new ParentBasedSampler({ root: ratio(1) });
  return bare === samplerType ? sampler : new ParentBasedSampler({ root: sampler });
}

function bareSampler(type: string, param: string, log: Logger): Sampler | undefined {
  if (type === 'alwayssample') return new AlwaysOnSampler();
  if (type === 'neversample') return new AlwaysOffSampler();
  if (type !== 'traceidratiobased') return undefined;
  const value = param.trim() === '' ? NaN : Number(param);
  if (!Number.isNaN(value)) return ratio(value);
  log.warn('sampler_param is no number, every trace is recorded', { sampler_param: param });
  return ratio(1);
}

function ratio(value: number): Sampler {
  return new TraceIdRatioBasedSampler(value);
}

/** compat: follows the caller, unless the configuration says that its own rule holds for sampled parents, too. */
export function jaegerSampler(config: JaegerConfig, clock: Clock): Sampler {
  const root = jaegerRoot(config, clock);
  return new ParentBasedSampler({
    root,
    ...(config.localParentSampled && { localParentSampled: root }),
    ...(config.remoteParentSampled && { remoteParentSampled: root }),
  });
}

function jaegerRoot(config: JaegerConfig, clock: Clock): Sampler {
  const { samplerType, samplerParam, initialSamplerRate } = config;
  if (samplerType === 'const') {
    return Math.round(samplerParam) >= 1 ? new AlwaysOnSampler() : new AlwaysOffSampler();
  }
  if (samplerType === 'probabilistic') return ratio(samplerParam);
  if (samplerType === 'ratelimiting' && samplerParam > 0) return rateLimited(samplerParam, clock);
  return ratio(initialSamplerRate === 0 ? JAEGER_INITIAL_RATE : initialSamplerRate);
}

/** So many traces a second. */
function rateLimited(perSecond: number, clock: Clock): Sampler {
  const limiter = new RateLimiter(1000 / perSecond, Math.max(perSecond, 1), clock);
  return {
    shouldSample: () => ({
      decision: limiter.allow() ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
    }),
    toString: () => `RateLimitingSampler{${perSecond}}`,
  };
}
