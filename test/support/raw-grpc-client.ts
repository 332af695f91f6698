/** Calls of gRPC with raw messages, by `@grpc/grpc-js`: a client that is not ours. */
import * as grpc from '@grpc/grpc-js';

/** How a call ended. */
export interface RawOutcome {
  readonly messages: readonly Buffer[];
  /** 0 for OK. */
  readonly code: number;
  readonly details: string;
}

const same = (bytes: Buffer): Buffer => bytes;

/** A client of one server. */
export class RawGrpcClient implements Disposable {
  readonly #client: grpc.Client;

  constructor(address: string) {
    this.#client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
  }

  /** One request; all answers. Never rejects. */
  call(path: string, request: Buffer, options: grpc.CallOptions = {}): Promise<RawOutcome> {
    return new Promise((resolve) => {
      const messages: Buffer[] = [];
      const stream = this.#client.makeServerStreamRequest(path, same, same, request, options);
      stream.on('data', (message: Buffer) => messages.push(message));
      // What ends in an error has a status, too.
      stream.on('error', () => undefined);
      stream.on('status', ({ code, details }) => resolve({ messages, code, details }));
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
