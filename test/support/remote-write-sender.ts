/** One connection to a remote write port. */
import { Client } from 'undici';
import { compressSync } from 'snappy';
import { encodeWriteRequest } from './write-request.ts';
import type { TestSeries } from './write-request.ts';

/** What the server said. */
export interface WriteAnswer {
  readonly status: number;
  readonly text: string;
}

/** Sends write requests over one connection of its own, one at a time. */
export class RemoteWriteSender {
  readonly #client: Client;
  readonly #path: string;

  /** Connects at the first request to an address as in `http://127.0.0.1:19291`; a Prometheus has `/api/v1/write` only. */
  constructor(address: string, path = '/api/v1/receive') {
    this.#client = new Client(address, { pipelining: 1 });
    this.#path = path;
  }

  /** Sends a request. @throws Error when the connection breaks before the answer. */
  async send(series: readonly TestSeries[]): Promise<WriteAnswer> {
    const { statusCode, body } = await this.#client.request({
      path: this.#path,
      method: 'POST',
      headers: {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      body: compressSync(encodeWriteRequest(series)),
    });
    return { status: statusCode, text: await body.text() };
  }

  /** Closes the connection, whatever is under way. */
  async close(): Promise<void> {
    await this.#client.destroy();
  }
}
