/** A real Prometheus (Debian's 2.42), on a free port and in a directory of the test. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from './server-process.ts';
import { freePort } from './free-port.ts';

/** A running Prometheus. */
export interface Prometheus {
  readonly process: ServerProcess;
  readonly api: string;
}

/** How {@link startPrometheus} runs it. */
export interface PrometheusOptions {
  /** Where its configuration and, unless given, its TSDB go. */
  readonly directory: string;
  readonly tsdbPath?: string;
  /** The configuration file; told the port that Prometheus will listen on. */
  readonly config?: (port: number) => string;
  /** More arguments. */
  readonly args?: readonly string[];
}

/**
 * Makes a Prometheus what `thanos all` is by default: native histograms, and `replica` on what is read remotely; with samples
 * out of order within an hour.
 */
export const AS_OURS: Pick<PrometheusOptions, 'config' | 'args'> = {
  config: () => `global: {external_labels: {replica: '0'}}
storage: {tsdb: {out_of_order_time_window: 1h}}
`,
  args: ['--enable-feature=native-histograms'],
};

/** Starts a Prometheus and waits until it is ready. Without a configuration it scrapes nothing. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const port = await freePort();
  const file = join(options.directory, 'prometheus.yml');
  mkdirSync(options.directory, { recursive: true });
  writeFileSync(file, options.config?.(port) ?? 'scrape_configs: []\n');
  const server = new ServerProcess('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${options.tsdbPath ?? join(options.directory, 'tsdb')}`,
    '--storage.tsdb.retention.time=100y',
    // Debian's Prometheus locks its directory only when it is told to; upstream's does by default.
    '--storage.tsdb.use-lockfile',
    `--web.listen-address=127.0.0.1:${port}`,
    ...(options.args ?? []),
  ]);
  await server.ready(`http://127.0.0.1:${port}/-/ready`);
  return { process: server, api: `http://127.0.0.1:${port}` };
}

/** Starts a Prometheus on a copy of a TSDB directory that no process has open. */
export async function openCopyInPrometheus(
  tsdbPath: string,
  directory: string,
  options: Pick<PrometheusOptions, 'config' | 'args'> = {},
): Promise<Prometheus> {
  const copy = join(directory, 'tsdb');
  cpSync(tsdbPath, copy, { recursive: true });
  return startPrometheus({ ...options, directory, tsdbPath: copy });
}

/** The lines of a Prometheus' log that say that something is wrong: damaged files, records that it passed over. */
export function complaints({ process: { output } }: Prometheus): string[] {
  return (
    output
      .split('\n')
      .filter((line) => /level=(?:warn|error)|corrupt|panic/i.test(line))
      // Blocks of samples that came out of order do.
      .filter((line) => !line.includes('msg="Overlapping blocks found during reloadBlocks"'))
      .filter((line) => !/Unknown series references.*samples=0 exemplars=0/.test(line))
  );
}
