/**
 * The sender of the ingest bench, a process of its own: bodies are built before the clock starts, so that its work
 * stays out of the measured window. Arguments: URL, series, ticks. Prints `warm` when every series exists, waits for
 * a line on standard input, sends the rest, and prints how many samples were stored.
 */
import { request, Agent } from 'node:http';
import { once } from 'node:events';
import { Random } from '../../src/lib/prng.ts';
import { SCRAPE_MS, START_MS } from './series-data.ts';
import { BodyBuilder, labelBytes } from './write-body.ts';

const BATCH = 2000;
const [url = '', seriesText = '', ticksText = ''] = process.argv.slice(2);
const series = Number(seriesText);
const ticks = Number(ticksText);
const random = new Random(7);

/** Ten labels, as a pod's metric has them. */
function labelsOf(i: number): Uint8Array {
  return labelBytes([
    ['__name__', `load_metric_${i % 50}`],
    ['cluster', `eu${i % 4}`],
    ['container', `c${i % 20}`],
    ['instance', `10.0.${(i >> 8) & 255}.${i & 255}:9100`],
    ['job', 'node-exporter'],
    ['namespace', `ns-${i % 97}`],
    ['node', `node-${i % 311}`],
    ['pod', `app-deployment-6d4cf56db6-${i.toString(36)}`],
    ['region', 'ap-northeast-2'],
    ['service', `svc${i % 31}`],
  ]);
}

const prefixes = Array.from({ length: series }, (_, i) => labelsOf(i));
const order = Uint32Array.from({ length: series }, (_, i) => i);
const values = new Float64Array(series);
const builder = new BodyBuilder();
const bodies: { body: Buffer; samples: number }[] = [];
for (let tick = 0; tick < ticks; tick++) {
  random.shuffle(order);
  for (let from = 0; from < series; from += BATCH) {
    const to = Math.min(series, from + BATCH);
    for (let k = from; k < to; k++) {
      const i = order[k] as number;
      values[i] = (values[i] as number) + random.below(100);
      builder.add(
        prefixes[i] as Uint8Array,
        START_MS + tick * SCRAPE_MS + random.below(11) - 5,
        values[i] ?? 0,
      );
    }
    bodies.push({ body: builder.take(), samples: to - from });
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function send(body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
      'content-length': body.length,
    };
    const post = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    post.on('error', reject);
    post.end(body);
  });
}

async function sendAll(list: readonly { body: Buffer; samples: number }[]): Promise<number> {
  let stored = 0;
  for (const { body, samples } of list) {
    const status = await send(body);
    if (status !== 200) throw new Error(`status ${status}`);
    stored += samples;
  }
  return stored;
}

const first = Math.ceil(series / BATCH);
await sendAll(bodies.slice(0, first));
console.log('warm');
await once(process.stdin, 'data');
const begun = performance.now();
const stored = await sendAll(bodies.slice(first));
console.log(JSON.stringify({ stored, seconds: (performance.now() - begun) / 1000 }));
agent.destroy();
process.exit();
