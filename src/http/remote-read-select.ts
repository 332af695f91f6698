/** What a remote read query selects, and how its series are shown. Behaviour: prometheus storage/remote/read_handler.go. */
import { CodedError } from '../lib/errors.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import type { SelectRequest } from '../storage/storage.ts';
import type { ReadQuery } from './remote-read-request.ts';

/** How requests are answered. */
export interface ReadOptions {
  /** Labels that series are shown with, unless they have them. The storage must not have added them. */
  readonly externalLabels: Labels;
  /** limit: samples of one query answered as samples; 0 is none. `--storage.remote.read-sample-limit`. */
  readonly sampleLimit: number;
  /** limit: bytes of a frame, but for its last chunk. `--storage.remote.read-max-bytes-in-frame`. */
  readonly frameBytesMax: number;
  /** limit: bytes of a page, but for its last series. Answers of samples are one page whatever they take. */
  readonly pageBytesMax: number;
  readonly signal: AbortSignal;
  /** Told what is missing from an answer, which has no place for it. */
  readonly onWarning: (text: string) => void;
}

/** Where a page begins: at a query of the request, behind the series with these labels (name, value, …) if any. */
export interface ReadCursor {
  readonly query: number;
  readonly after: readonly string[] | undefined;
}

/** What to select for a query. An external label is not in the storage, so that being equal to it is being absent. */
export function selectRequest(query: ReadQuery, externalLabels: Labels): SelectRequest {
  const matchers = query.matchers.map((matcher) => {
    const { type, name, value } = matcher;
    const isExternal = type === '=' && value !== '' && externalLabels.get(name) === value;
    return isExternal ? new Matcher('=', name, '') : matcher;
  });
  return { matchers, mint: query.mint, maxt: query.maxt };
}

/** The labels that a series is shown with: its own win. */
export function shownLabels(own: Labels, externalLabels: Labels): readonly string[] {
  if (externalLabels.size === 0) return own.pairs;
  return Labels.fromPairs([...externalLabels, ...own]).pairs;
}

/** @throws CodedError canceled when the signal has fired. */
export function checkSignal(signal: AbortSignal): void {
  if (signal.aborted) throw new CodedError('canceled', 'remote read was canceled');
}
