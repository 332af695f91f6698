/** The families that every process has: process_*, nodejs_*, and thanos_build_info. */
import { collectDefaultMetrics } from 'prom-client';
import type { ProcessMetrics } from './metrics.ts';

/** What a build knows about itself; empty strings where it does not. */
export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
  readonly branch: string;
  readonly buildUser: string;
  readonly buildDate: string;
}

/** Node's name for its version stands where Go programs say which Go built them. */
export const RUNTIME_VERSION = `node${process.versions.node}`;

/** Registers process_* and nodejs_* families and the constant thanos_build_info. */
export function registerProcessMetrics(metrics: ProcessMetrics, build: BuildInfo): void {
  collectDefaultMetrics({ register: metrics.registry });
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
