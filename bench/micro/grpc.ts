/** `grpc`: messages a second between two processes, our client and server against grpc-js' with a window of 1 MB. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Client, type ClientReadableStream, credentials } from '@grpc/grpc-js';
import { GrpcChannel } from '../../src/ops/grpc/channel.ts';

/** Bytes of a message, and how many are sent in a run. */
const STREAMS = [
  { bytes: 8192, messages: 20_000 },
  { bytes: 200, messages: 200_000 },
] as const;
const UNARY = { calls: 5000, inFlight: 32, bytes: 200 } as const;
const RUNS = 5;
const STREAM = '/bench.Bench/Stream';

interface Addresses {
  readonly ours: string;
  readonly theirs: string;
}

/** Runs the bench; each side gets its best of some runs, which take turns. */
export async function benchGrpc(): Promise<Record<string, unknown>> {
  const peer = fork(new URL('grpc-peer.ts', import.meta.url), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  try {
    if (peer.stdout === null) throw new Error('no output of the peer');
    const [line] = (await once(createInterface(peer.stdout), 'line')) as [string];
    return await measureAll(JSON.parse(line) as Addresses);
  } finally {
    peer.disconnect();
  }
}

async function measureAll(addresses: Addresses): Promise<Record<string, unknown>> {
  const channel = new GrpcChannel(addresses.ours);
  const client = new Client(addresses.theirs, credentials.createInsecure(), {
    'grpc-node.flow_control_window': 1024 * 1024,
  });
  const result: Record<string, unknown> = { bench: 'grpc' };
  try {
    for (const { bytes, messages } of STREAMS) {
      const rates = await race(messages, {
        ours: () => readOurs(channel, messages, bytes),
        theirs: () => readTheirs(client, messages, bytes),
      });
      Object.assign(result, named(`stream_${bytes}`, rates));
    }
    const request = Buffer.alloc(UNARY.bytes, 1);
    const rates = await race(UNARY.calls, {
      ours: () => inFlight(() => channel.unary('/bench.Bench/Unary', request)),
      theirs: () => inFlight(() => unaryTheirs(client, request)),
    });
    return Object.assign(result, named(`unary_${UNARY.bytes}`, rates));
  } finally {
    channel.close();
    client.close();
  }
}

type Sides<T> = Readonly<Record<'ours' | 'theirs', T>>;

function named(name: string, rates: Sides<number>): Record<string, number> {
  const { ours, theirs } = rates;
  return {
    [`${name}_per_s`]: Math.round(ours),
    [`${name}_grpc_js_per_s`]: Math.round(theirs),
    [`${name}_ratio`]: Math.round((ours / theirs) * 100) / 100,
  };
}

/** The best rate of each side. */
async function race(count: number, sides: Sides<() => Promise<void>>): Promise<Sides<number>> {
  const best = { ours: 0, theirs: 0 };
  for (let run = 0; run < RUNS; run++) {
    for (const side of ['ours', 'theirs'] as const) {
      const from = performance.now();
      await sides[side]();
      best[side] = Math.max(best[side], (count / (performance.now() - from)) * 1000);
    }
  }
  return best;
}

function order(messages: number, bytes: number): Buffer {
  const request = Buffer.alloc(8);
  request.writeUInt32LE(messages, 0);
  request.writeUInt32LE(bytes, 4);
  return request;
}

async function readOurs(channel: GrpcChannel, messages: number, bytes: number): Promise<void> {
  const call = channel.serverStream(STREAM, order(messages, bytes));
  let seen = 0;
  for (let batch = await call.nextBatch(); batch !== undefined; batch = await call.nextBatch()) {
    for (const message of batch) seen += message.length;
  }
  checkSeen(seen, messages * bytes);
}

async function readTheirs(client: Client, messages: number, bytes: number): Promise<void> {
  const pass = (buffer: Buffer): Buffer => buffer;
  const call: ClientReadableStream<Buffer> = client.makeServerStreamRequest(
    STREAM,
    pass,
    pass,
    order(messages, bytes),
  );
  let seen = 0;
  call.on('data', (message: Buffer) => {
    seen += message.length;
  });
  await once(call, 'end');
  checkSeen(seen, messages * bytes);
}

function checkSeen(seen: number, want: number): void {
  if (seen !== want) throw new Error(`BUG: ${seen} bytes came, ${want} were sent`);
}

function unaryTheirs(client: Client, request: Buffer): Promise<unknown> {
  const pass = (buffer: Buffer): Buffer => buffer;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest('/bench.Bench/Unary', pass, pass, request, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
  });
}

async function inFlight(call: () => Promise<unknown>): Promise<void> {
  let left = UNARY.calls;
  const work = async (): Promise<void> => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: UNARY.inFlight }, work));
}
