/** Clients and servers of grpc-js, whose messages are bytes: what our gRPC is tested against, both ways. */
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type StatusObject,
  type UntypedHandleCall,
  logVerbosity,
  type sendUnaryData,
  setLogVerbosity,
  type status as Status,
} from '@grpc/grpc-js';
import type { TestContext } from 'node:test';

// It prints what tests provoke.
setLogVerbosity(logVerbosity.NONE);

/** The service of all tests. */
export const SERVICE = 'test.Test';

const pass = (bytes: Buffer): Buffer => bytes;

/** How a call of the oracle's client ended. */
export interface OracleOutcome {
  readonly messages: Buffer[];
  readonly headers: Metadata;
  readonly status: StatusObject;
}

/** What the client of the oracle may say of a call. */
export interface OracleCall {
  readonly requests?: readonly Buffer[];
  readonly metadata?: Metadata;
  readonly options?: CallOptions;
  /** Cancels the call after so many messages. */
  readonly cancelAfter?: number;
}

/** grpc-js' client, closed at the end of the test. */
export class OracleClient {
  readonly client: Client;

  constructor(
    t: TestContext,
    address: string,
    options: ChannelOptions = {},
    credentials = ChannelCredentials.createInsecure(),
  ) {
    this.client = new Client(address, credentials, {
      'grpc.max_receive_message_length': -1,
      // Otherwise clients of all tests share connections.
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
    t.after(() => this.client.close());
  }

  /** Makes a call as a bidirectional one, which on the wire all kinds are. */
  async call(method: string, call: OracleCall = {}): Promise<OracleOutcome> {
    const stream = this.open(method, call);
    for (const request of call.requests ?? []) stream.write(request);
    stream.end();
    return collect(stream, call.cancelAfter);
  }

  /** Begins a call. */
  open(method: string, call: OracleCall = {}): ClientDuplexStream<Buffer, Buffer> {
    const path = `/${SERVICE}/${method}`;
    const { metadata = new Metadata(), options = {} } = call;
    const stream: ClientDuplexStream<Buffer, Buffer> = this.client.makeBidiStreamRequest(
      path,
      pass,
      pass,
      metadata,
      options,
    );
    stream.on('error', () => undefined); // the status says it
    return stream;
  }
}

/** Reads a call to its end. */
export function collect(
  stream: ClientReadableStream<Buffer>,
  cancelAfter?: number,
): Promise<OracleOutcome> {
  const messages: Buffer[] = [];
  let headers = new Metadata();
  if (cancelAfter === 0) stream.cancel();
  stream.on('metadata', (metadata: Metadata) => {
    headers = metadata;
  });
  stream.on('data', (message: Buffer) => {
    messages.push(message);
    if (messages.length === cancelAfter) stream.cancel();
  });
  return new Promise((resolve) => {
    stream.on('status', (status: StatusObject) => resolve({ messages, headers, status }));
  });
}

/** Handlers of the oracle's server. */
export interface OracleMethods {
  readonly unary?: Readonly<
    Record<string, (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => void>
  >;
  readonly serverStream?: Readonly<
    Record<string, (call: ServerWritableStream<Buffer, Buffer>) => void>
  >;
  readonly clientStream?: Readonly<
    Record<
      string,
      (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => void
    >
  >;
  readonly bidi?: Readonly<Record<string, (call: ServerDuplexStream<Buffer, Buffer>) => void>>;
}

/** A server of the oracle, and where it listens. */
export interface OracleServer {
  readonly server: Server;
  readonly address: string;
}

/** Starts grpc-js' server on a free port, or on one, until the end of the test. */
export async function startOracle(
  t: TestContext,
  methods: OracleMethods,
  {
    options = {},
    credentials = ServerCredentials.createInsecure(),
    port = 0,
  }: { options?: ChannelOptions; credentials?: ServerCredentials; port?: number } = {},
): Promise<OracleServer> {
  const server = new Server({ 'grpc.max_receive_message_length': -1, ...options });
  t.after(() => server.forceShutdown());
  const add = (
    handlers: Readonly<Record<string, UntypedHandleCall>> = {},
    requestStream = false,
    responseStream = false,
  ): void => {
    for (const [name, handler] of Object.entries(handlers)) {
      const path = `/${SERVICE}/${name}`;
      const codec = { requestSerialize: pass, requestDeserialize: pass };
      const response = { responseSerialize: pass, responseDeserialize: pass };
      const method = { path, requestStream, responseStream, ...codec, ...response };
      server.addService({ [name]: method }, { [name]: handler });
    }
  };
  add(methods.unary);
  add(methods.serverStream, false, true);
  add(methods.clientStream, true, false);
  add(methods.bidi, true, true);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, got) =>
      error === null ? resolve(got) : reject(error),
    );
  });
  return { server, address: `127.0.0.1:${bound}` };
}

/** An error for `done` of a handler of the oracle. */
export function oracleError(
  code: Status,
  details: string,
  metadata = new Metadata(),
): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata });
}
