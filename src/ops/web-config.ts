/**
 * The file of `--http.config` in force: each request is held against what the file says then, and each connection is
 * served with the certificates that lie there then. Behaviour: prometheus/exporter-toolkit web (Serve, Validate,
 * webHandler).
 *
 * A file that has become unreadable or wrong lets nobody in: requests are answered 500, handshakes end, the log says
 * why. Whether there is TLS, HTTP/2 and a rate limit is decided at the start.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { type Clock, systemClock } from '../lib/clock.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import { FreshFile } from '../lib/fresh-file.ts';
import type { Logger } from '../lib/log.ts';
import { BasicAuth, type PasswordCheck, checkHashes, parseLogin } from './basic-auth.ts';
import { RateLimiter } from './rate-limiter.ts';
import { SecuredServer } from './secured-server.ts';
import { type WebSettings, parseWebSettings } from './web-settings.ts';
import { WebTls } from './web-tls.ts';

/** How a configuration is opened. */
export interface WebConfigOptions {
  readonly log: Logger;
  /** Where passwords are checked; by default on this thread, which each new password keeps busy for some 70 ms. */
  readonly checkPassword?: PasswordCheck;
  readonly clock?: Clock;
}

/** One file, for any number of servers. */
export class WebConfig {
  readonly #file: FreshFile;
  readonly #log: Logger;
  readonly #auth: BasicAuth;
  readonly #limiter: RateLimiter | undefined;
  /** Undefined where servers listen without TLS. */
  readonly tls: WebTls | undefined;
  #version: number;
  #settings: WebSettings | CodedError;

  private constructor(
    file: FreshFile,
    version: number,
    settings: WebSettings,
    options: WebConfigOptions,
  ) {
    this.#file = file;
    this.#version = version;
    this.#settings = settings;
    this.#log = options.log;
    this.#auth = new BasicAuth(options.checkPassword);
    const limit = settings.rateLimit;
    const clock = options.clock ?? systemClock;
    this.#limiter = limit && new RateLimiter(limit.intervalMs, limit.burst, clock);
    const { http2, tls } = settings;
    this.tls = tls && new WebTls(async () => (await this.settings()).tls, http2);
  }

  /**
   * Reads and checks the file and those that it names.
   * @throws CodedError bad_data with file, line and field.
   */
  static async open(path: string, options: WebConfigOptions): Promise<WebConfig> {
    const file = new FreshFile(path);
    let web: WebConfig;
    try {
      const { text, version } = await file.read();
      const settings = await parseWebSettings({ name: path, text }, dirname(path));
      checkHashes(settings.users, path);
      web = new WebConfig(file, version, settings, options);
      await web.tls?.current();
    } catch (thrown) {
      if (thrown instanceof CodedError) throw thrown;
      throw new CodedError('bad_data', `read ${path}: ${errorText(thrown)}`, { cause: thrown });
    }
    return web;
  }

  /** What the file says now. @throws CodedError bad_data when it says nothing sound. */
  async settings(): Promise<WebSettings> {
    const { text, version } = await this.#file.read();
    if (version !== this.#version) {
      const { path } = this.#file;
      const settings = await parseWebSettings({ name: path, text }, dirname(path)).catch(
        (thrown: unknown) => new CodedError('bad_data', errorText(thrown), { cause: thrown }),
      );
      this.#version = version;
      this.#settings = settings;
    }
    if (this.#settings instanceof CodedError) throw this.#settings;
    return this.#settings;
  }

  /** A request handler that lets through what the file allows. */
  guard(handler: RequestListener): RequestListener {
    return (request, response) => {
      this.#judge(request, response).then(
        (allowed) => {
          if (allowed) handler(request, response);
        },
        (thrown: unknown) => {
          this.#log.error('Unable to parse configuration', { err: errorText(thrown) });
          refuse(response, 500, 'Internal Server Error');
        },
      );
    };
  }

  /** Makes a server that does not listen yet speak TLS, where the file says so. `handler` is a guarded one. */
  secure(server: Server, handler: RequestListener): SecuredServer | undefined {
    return this.tls && new SecuredServer(server, handler, this.tls, this.#log);
  }

  async #judge(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { headers, users } = await this.settings();
    if (this.#limiter?.allow() === false) return refuse(response, 429, 'Too Many Requests');
    for (const [name, value] of headers) response.setHeader(name, value);
    if (users.size === 0) return true;
    const login = parseLogin(request.headers.authorization);
    try {
      if (login !== undefined && (await this.#auth.allows(users, login))) return true;
    } catch (thrown) {
      this.#log.warn('cannot check a login', { err: errorText(thrown) });
      response.setHeader('retry-after', '1');
      return refuse(response, 503, 'Service Unavailable');
    }
    response.setHeader('www-authenticate', 'Basic');
    return refuse(response, 401, 'Unauthorized');
  }
}

/** Answers as Go's http.Error does. */
function refuse(response: ServerResponse, status: number, text: string): false {
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('x-content-type-options', 'nosniff');
  response.statusCode = status;
  response.end(`${text}\n`);
  return false;
}
