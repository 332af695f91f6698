/**
 * The text formats of a scrape: Prometheus text 0.0.4 and OpenMetrics 1.0.0. Behaviour: prometheus/common expfmt.
 */
import { formatGoFloat } from './go-float.ts';
import type { MetricFamily, MetricSample } from './metrics.ts';

/** The formats that `/metrics` speaks. */
export type ExpositionFormat = 'text' | 'openmetrics';

/** Content types by format, as promhttp sends them. */
export const EXPOSITION_CONTENT_TYPE: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores',
};

/** The format for an Accept header: OpenMetrics when it is asked for with at least the weight of text. */
export function negotiateExposition(accept: string | undefined): ExpositionFormat {
  let best: ExpositionFormat = 'text';
  let bestWeight = 0;
  for (const clause of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = clause.split(';').map((part) => part.trim());
    const format = formatOf(type, parameters);
    if (format === undefined) continue;
    const q = parameters.find((p) => p.startsWith('q='));
    const weight = q === undefined ? 1 : Number(q.slice(2));
    if (weight > bestWeight) {
      best = format;
      bestWeight = weight;
    }
  }
  return best;
}

function formatOf(type: string, parameters: readonly string[]): ExpositionFormat | undefined {
  if (type === 'text/plain') return 'text';
  if (type !== 'application/openmetrics-text') return undefined;
  const version = parameters.find((p) => p.startsWith('version='));
  const known = version === undefined || ['version=1.0.0', 'version=0.0.1'].includes(version);
  return known ? 'openmetrics' : undefined;
}

/** Writes families in a format. Families without samples are left out. */
export function expose(families: readonly MetricFamily[], format: ExpositionFormat): string {
  const open = format === 'openmetrics';
  const out: string[] = [];
  for (const family of families) {
    if (family.samples.length === 0) continue;
    const name = open ? openName(family) : family.name;
    const help = open ? escapeLabel(family.help) : escapeHelp(family.help);
    out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${open ? openType(family) : family.type}`);
    for (const sample of family.samples) out.push(sampleLine(sample, open));
  }
  if (open) out.push('# EOF');
  return `${out.join('\n')}\n`;
}

/** OpenMetrics names a counter without the suffix that its sample has. */
function openName({ name, type }: MetricFamily): string {
  return type === 'counter' && name.endsWith('_total') ? name.slice(0, -'_total'.length) : name;
}

/** compat: expfmt calls a counter whose name does not end in _total unknown, and untyped unknown. */
function openType({ name, type }: MetricFamily): string {
  if (type === 'untyped') return 'unknown';
  return type === 'counter' && !name.endsWith('_total') ? 'unknown' : type;
}

function sampleLine({ name, labels, value }: MetricSample, open: boolean): string {
  const number = open ? openFloat(value) : formatGoFloat(value);
  if (labels.length === 0) return `${name} ${number}`;
  const pairs = labels.map(([key, text]) => {
    const bound = open && (key === 'le' || key === 'quantile') ? openBound(text) : text;
    return `${key}="${escapeLabel(bound)}"`;
  });
  return `${name}{${pairs.join(',')}} ${number}`;
}

/** OpenMetrics writes floats that look like integers with a fraction. */
function openFloat(value: number): string {
  return openBound(formatGoFloat(value));
}

function openBound(text: string): string {
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
