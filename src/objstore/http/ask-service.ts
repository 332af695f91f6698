/** Small questions to services beside a store: for tokens and namespaces. */
import type { Dispatcher } from 'undici';
import { CodedError, errorText } from '../../lib/errors.ts';
import { AccessDeniedError } from '../bucket.ts';
import type { StoreHeaders } from './object-api.ts';

/** A question. */
export interface ServiceQuestion {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For messages, as `ask for a token`. */
  readonly what: string;
  /** Within which the whole answer must come. */
  readonly timeoutMs?: number;
}

/** limit: 10 s, as long as nobody says otherwise. */
const TIMEOUT_MS = 10_000;
const SAID_MAX = 300;

/** The answer, of status 2xx. @throws CodedError unavailable; AccessDeniedError for 400, 401 and 403. */
export async function askService(
  dispatcher: Dispatcher,
  question: ServiceQuestion,
): Promise<{ readonly text: string; readonly headers: StoreHeaders }> {
  const { url, method = 'GET', headers = {}, body = null, what } = question;
  const { origin, pathname, search } = new URL(url);
  try {
    const answer = await dispatcher.request({
      origin,
      path: pathname + search,
      method,
      headers,
      body,
      signal: AbortSignal.timeout(question.timeoutMs ?? TIMEOUT_MS),
    });
    const text = await answer.body.text();
    const { statusCode: status } = answer;
    if (status < 300) return { text, headers: answer.headers };
    const said = text.replaceAll(/\s+/g, ' ').slice(0, SAID_MAX);
    const message = `${what}: ${origin}${pathname} answers ${status}: ${said}`;
    // A grant that is refused is a 400 by OAuth's rules.
    const isDenied = status === 400 || status === 401 || status === 403;
    throw isDenied ? new AccessDeniedError(message) : new CodedError('unavailable', message);
  } catch (thrown) {
    if (thrown instanceof CodedError) throw thrown;
    const message = `${what}: ${origin}${pathname}: ${errorText(thrown)}`;
    throw new CodedError('unavailable', message, { cause: thrown });
  }
}

/** The fields of a JSON object. @throws CodedError unavailable. */
export function jsonFields(text: string, what: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below; the text may hold secrets.
  }
  throw new CodedError('unavailable', `${what}: the answer is no JSON object`);
}
