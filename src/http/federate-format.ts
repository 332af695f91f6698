/** Which format `/federate` answers in. Behaviour: prometheus/common expfmt.Negotiate, which does not offer OpenMetrics. */
import type { EscapingScheme } from './escape-name.ts';

/** A format, how names are written in it, and what it is called. */
export interface FederateFormat {
  readonly kind: 'text' | 'protobuf';
  readonly escaping: EscapingScheme;
  readonly contentType: string;
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const PROTOBUF =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

const SCHEMES: ReadonlyMap<string, EscapingScheme> = new Map(
  (['allow-utf-8', 'underscores', 'dots', 'values'] as const).map((scheme) => [scheme, scheme]),
);

/** The format for an Accept header. */
export function negotiateFederate(accept: string | undefined): FederateFormat {
  let escaping: EscapingScheme = 'underscores';
  for (const { type, parameters } of parseAccept(accept ?? '')) {
    // compat: the parameter counts also when the clause's type is not one of ours.
    escaping = SCHEMES.get(parameters.get('escaping') ?? '') ?? escaping;
    if (isProtobuf(type, parameters)) return format('protobuf', PROTOBUF, escaping);
    const version = parameters.get('version') ?? '';
    if (type === 'text/plain' && (version === '' || version === '0.0.4')) break;
  }
  return format('text', TEXT, escaping);
}

function format(
  kind: FederateFormat['kind'],
  contentType: string,
  escaping: EscapingScheme,
): FederateFormat {
  return { kind, escaping, contentType: `${contentType}; escaping=${escaping}` };
}

function isProtobuf(type: string, parameters: ReadonlyMap<string, string>): boolean {
  return (
    type === 'application/vnd.google.protobuf' &&
    parameters.get('proto') === 'io.prometheus.client.MetricFamily' &&
    parameters.get('encoding') === 'delimited'
  );
}

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly weight: number;
}

/** The clauses of an Accept header, the heaviest first. */
function parseAccept(header: string): Clause[] {
  return header
    .split(',')
    .map((clause) => {
      const [type = '', ...pairs] = clause.split(';').map((part) => part.trim());
      const parameters = new Map(
        pairs.map((pair): [string, string] => {
          const at = pair.indexOf('=');
          return at < 0 ? [pair, ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
        }),
      );
      const q = Number(parameters.get('q') ?? '1');
      return { type, parameters, weight: Number.isNaN(q) ? 1 : q };
    })
    .sort((a, b) => b.weight - a.weight);
}
