/** Request parameters as Go's net/http sees them: a form body, then the query of the URL. */
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** The parameters of one request. */
export class Form {
  readonly #body: URLSearchParams | undefined;
  readonly #query: URLSearchParams;

  constructor(query: string, body?: string) {
    this.#query = new URLSearchParams(query);
    this.#body = body === undefined ? undefined : new URLSearchParams(body);
  }

  /** The parameters of a request to a server whose parser is {@link acceptForms}. */
  static of(request: FastifyRequest): Form {
    const { url } = request;
    const at = url.indexOf('?');
    const body = typeof request.body === 'string' ? request.body : undefined;
    return new Form(at < 0 ? '' : url.slice(at + 1), body);
  }

  /** The first value, the body's before the URL's; '' when absent. */
  get(name: string): string {
    return this.#body?.get(name) ?? this.#query.get(name) ?? '';
  }

  /** All values, the body's before the URL's. */
  getAll(name: string): string[] {
    const fromQuery = this.#query.getAll(name);
    return this.#body === undefined ? fromQuery : [...this.#body.getAll(name), ...fromQuery];
  }
}

/** Makes a server read form bodies as text and, as Go does, ignore bodies of any other type. */
export function acceptForms(app: FastifyInstance): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, body),
  );
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume();
    done(null, undefined);
  });
}
