/** Our own scripts tell everything: what they do not expect must not be. Prometheus' language is laxer. */
import type { EvalCommand, TextExpectation } from './promqltest-script.ts';
import type { SequenceValue, SeriesDescription } from './promqltest-series.ts';

/** The command, which now rules out annotations that it does not name and counter reset hints that it does not write. */
export function strictly(command: EvalCommand): EvalCommand {
  const texts = [...command.texts];
  for (const kind of ['warn', 'info'] as const) {
    if (!texts.some(({ what }) => what === kind)) texts.push(anythingOf(`no_${kind}`));
  }
  return { ...command, texts, series: command.series.map(withHints) };
}

function anythingOf(what: TextExpectation['what']): TextExpectation {
  return { what, message: undefined, pattern: undefined };
}

function withHints(series: SeriesDescription): SeriesDescription {
  return { ...series, values: series.values.map(withHint) };
}

function withHint(value: SequenceValue): SequenceValue {
  return value.kind === 'histogram' ? { ...value, hintIsSet: true } : value;
}
