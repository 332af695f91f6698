/** The families that every process has: process_*, nodejs_*, what stands for go_*, and thanos_build_info. */
import { collectDefaultMetrics } from 'prom-client';
import { registerGoMetrics } from './go-metrics.ts';
import type { ProcessMetrics } from './metrics.ts';
import { RUNTIME_VERSION } from './runtime-version.ts';

/** What a build knows about itself; empty strings where it does not. */
export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
  readonly branch: string;
  readonly buildUser: string;
  readonly buildDate: string;
}

/** Registers process_*, nodejs_* and go_* families and the constant thanos_build_info. */
export function registerProcessMetrics(metrics: ProcessMetrics, build: BuildInfo): void {
  collectDefaultMetrics({ register: metrics.registry });
  registerGoMetrics(metrics, RUNTIME_VERSION);
  const names = ['branch', 'goarch', 'goos', 'goversion', 'revision', 'tags', 'version'];
  metrics
    .gaugeFamily(
      'thanos_build_info',
      "A metric with a constant '1' value labeled by version, revision, branch, goversion from which thanos was built, and the goos and goarch for the build.",
      names,
    )
    .with(
      build.branch,
      process.arch === 'x64' ? 'amd64' : process.arch,
      process.platform,
      RUNTIME_VERSION,
      build.revision,
      '',
      build.version,
    )
    .set(1);
}
