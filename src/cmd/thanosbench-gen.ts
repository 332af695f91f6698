/** `thanosbench block gen`: makes the blocks of a plan. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { BlockSpec } from '../components/bench/block-spec.ts';
import { orAbort } from '../lib/abort.ts';
import { systemClock } from '../lib/clock.ts';
import { CodedError, errorText } from '../lib/errors.ts';
import { systemFiles } from '../lib/file-layer.ts';
import { formatGoDuration } from '../lib/go-duration.ts';
import { readPathOrContent } from '../lib/path-or-content.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { openBucket, readBucketConfig } from '../objstore/config.ts';
import type { FlagValues } from '../ops/flag-spec.ts';
import type { Command, CommandContext } from './command-tree.ts';
import { configFlags, configOf, objstoreFlags } from './config-flags.ts';
import { BlockGenerator } from '../components/bench/generate-block.ts';
import { uploadBlock } from '../bucket/upload-block.ts';
import { readPlan } from '../components/bench/read-plan.ts';

/** `thanosbench block gen`. */
export const genCommand: Command = {
  name: 'gen',
  description:
    'Generate the blocks of a plan, which comes from `block plan` by stdin or by the config flags. The same plan always gives the same samples.',
  flags: [
    ...configFlags('config', 'the plan in YAML; without it the plan is read from stdin'),
    ...objstoreFlags(),
    {
      name: 'output.dir',
      kind: 'string',
      required: true,
      help: 'The directory that gets the blocks; it is made when it does not exist.',
    },
    {
      name: 'workers',
      kind: 'int',
      placeholder: 'WORKERS',
      help: "Accepted for the sake of Go's thanosbench; one thread makes the blocks faster than they can be written.",
    },
  ],
  run,
};

async function run(context: CommandContext): Promise<void> {
  const { values, log } = context;
  const bucket = await bucketOf(values);
  if (bucket === undefined) {
    log.info('no supported bucket was configured, uploads will be disabled');
  }
  try {
    const plan = await readPlanOf(context);
    await generateAll(plan, context, bucket);
    log.info('all blocks done', { count: plan.length });
  } finally {
    await bucket?.close();
  }
}

/** Makes one block after the other, and takes each to the bucket. */
async function generateAll(
  plan: readonly BlockSpec[],
  { values, log, signal }: CommandContext,
  bucket: Bucket | undefined,
): Promise<void> {
  const outputDirectory = values.string('output.dir');
  makeWritable(outputDirectory);
  const generator = new BlockGenerator({
    outputDirectory,
    files: systemFiles,
    clock: systemClock,
    signal,
  });
  for (const [i, spec] of plan.entries()) {
    const count = `${i + 1} of ${plan.length}`;
    const started = performance.now();
    const meta = await inContext(`generate block ${count}`, () => generator.generate(spec));
    const path = join(outputDirectory, meta.ulid);
    log.info('generated block', {
      path,
      count,
      mint: new Date(meta.minTime).toISOString(),
      maxt: new Date(meta.maxTime).toISOString(),
      series: meta.stats.numSeries,
      samples: meta.stats.numSamples,
      chunks: meta.stats.numChunks,
      duration: formatGoDuration(Math.round(performance.now() - started)),
    });
    if (bucket === undefined) continue;
    const options = { clock: systemClock, log, signal };
    await inContext(`upload block ${meta.ulid}`, () => uploadBlock(bucket, path, options));
    log.info('uploaded block to object storage', { path, bucket: bucket.name });
  }
}

/** The plan of the config flags, or of stdin when neither is given. */
async function readPlanOf({ values, log, signal }: CommandContext): Promise<BlockSpec[]> {
  const given = await readPathOrContent(configOf(values, 'config'));
  if (given === undefined && process.stdin.isTTY) log.info('reading the plan from stdin');
  const source = given ?? { name: 'stdin', text: await orAbort(text(process.stdin), signal) };
  const plan = await readPlan(source.text, source.name);
  if (plan.length > 0) return plan;
  const hint = 'expected YAML as `thanosbench block plan` prints it';
  throw new CodedError('bad_data', `the plan in ${source.name} is empty, ${hint}`);
}

/** Makes sure before any work that blocks can be written there. */
function makeWritable(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (thrown) {
    const message = `--output.dir ${directory} cannot be written: ${errorText(thrown)}`;
    throw new CodedError('unavailable', message, { cause: thrown });
  }
}

async function inContext<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const code = thrown instanceof CodedError ? thrown.code : 'internal';
    throw new CodedError(code, `${what}: ${errorText(thrown)}`, { cause: thrown });
  }
}

/** The bucket that blocks go to besides the output directory; undefined when no flag names one. */
async function bucketOf(values: FlagValues): Promise<Bucket | undefined> {
  const config = await readBucketConfig(configOf(values, 'objstore.config'));
  return config === undefined ? undefined : openBucket(config);
}
