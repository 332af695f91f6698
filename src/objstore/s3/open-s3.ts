/** Makes the bucket of a configuration of type S3. */
import type { Dispatcher } from 'undici';
import type { Clock } from '../../lib/clock.ts';
import type { Bucket } from '../bucket.ts';
import { type Sleep, systemSleep, USUAL_WAITS } from '../http/backoff.ts';
import { openAgent } from '../http/http-agent.ts';
import { HttpBucket } from '../http/http-bucket.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { ObjectClient } from '../http/object-client.ts';
import { ChainedCredentials, type CredentialsProvider, staticCredentials } from './credentials.ts';
import { environmentCredentials, sharedFileCredentials } from './local-credentials.ts';
import type { Environment } from './local-credentials.ts';
import {
  containerCredentials,
  machineCredentials,
  webIdentityCredentials,
} from './remote-credentials.ts';
import type { S3Config } from './s3-config.ts';
import { S3Signer } from './s3-signer.ts';
import { sseHeaders } from './s3-sse.ts';
import { childText, tryXml } from './s3-xml.ts';
import { sdkCredentials } from './sdk-credentials.ts';
import { S3Api } from './s3-api.ts';

/** minio-go's number of tries. */
const TRIES = 10;
const PARTS_MAX = 10_000;
/** limit: as in objstore s3.go. */
const PARTS_AT_ONCE = 4;
/** limit: S3's for one request. */
const PUT_BYTES_MAX = 5 * 1024 ** 3;

/**
 * Opens a bucket. Nothing is asked of the store yet.
 * @throws CodedError bad_data when a file cannot be used; unavailable when a package is missing.
 */
export async function openS3(config: S3Config, options: OpenOptions): Promise<Bucket> {
  const { clock, log, env = process.env, sleep = systemSleep } = options;
  const sse = await sseHeaders(config.sse);
  const credentials = await credentialsOf(config, env, clock);
  const dispatcher = await openAgent(config.http, env);
  const signer = new S3Signer(config, credentials);
  const api = new S3Api({
    provider: 'S3',
    bucket: config.bucket,
    listVersion: config.listVersion,
    limits: {
      partBytes: config.multipart ? Math.min(config.partSize, PUT_BYTES_MAX) : Infinity,
      partsMax: PARTS_MAX,
      partsAtOnce: PARTS_AT_ONCE,
    },
    retries: { triesMax: config.maxRetries > 0 ? config.maxRetries : TRIES, ...USUAL_WAITS },
    writeHeaders: { ...metadataHeaders(config.userMetadata), ...sse.write },
    readHeaders: sse.read,
    sign: (request, now, signal) => signer.sign(request, now, signal),
    recover: (failure) => signer.recover(failure),
    accessHint: () => credentials.hint(),
  });
  const trace = config.trace ? log.with({ component: 's3TraceMsg' }) : undefined;
  signer.askRegion = regionQuestion(api, { dispatcher, clock, sleep });
  return new HttpBucket(api, { dispatcher, clock, log, trace, sleep });
}

async function credentialsOf(
  config: S3Config,
  env: Environment,
  clock: Clock,
): Promise<CredentialsProvider> {
  const { accessKey, secretKey, sessionToken, stsEndpoint } = config;
  if (accessKey !== '') return staticCredentials({ accessKey, secretKey, sessionToken });
  const sources = config.awsSdkAuth
    ? [await sdkCredentials(config.region)]
    : [
        environmentCredentials(env),
        sharedFileCredentials(env),
        webIdentityCredentials(env, stsEndpoint),
        containerCredentials(env),
        machineCredentials(env),
      ];
  return new ChainedCredentials(sources, clock);
}

/** `x-amz-meta-` before names that are no headers of their own. Behaviour: minio-go api-put-object.go. */
const OWN_HEADERS = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
]);

function metadataHeaders(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(metadata).map(([key, value]) => {
    const name = key.toLowerCase();
    const isHeader = name.startsWith('x-amz-') || OWN_HEADERS.has(name);
    return [isHeader ? name : `x-amz-meta-${name}`, value] as const;
  });
  return Object.fromEntries(entries);
}

/** GetBucketLocation. Where it is refused or unknown, the region is learned from other answers. */
function regionQuestion(
  api: S3Api,
  options: { readonly dispatcher: Dispatcher; readonly clock: Clock; readonly sleep: Sleep },
): (signal: AbortSignal | undefined) => Promise<string | undefined> {
  const client = new ObjectClient(api, { ...options, triesMax: 1 });
  return async (signal) => {
    const request = { method: 'GET', query: { location: undefined }, scope: 'location' } as const;
    try {
      const { body } = await client.send(request, 'ask for the region', signal);
      const text = body.toString();
      const root = tryXml(text, 'LocationConstraint');
      const found = typeof root === 'string' ? root.trim() : childText(root, '#text').trim();
      // compat: what the oldest regions are called there.
      return found === '' ? undefined : found === 'EU' ? 'eu-west-1' : found;
    } catch {
      return undefined;
    }
  };
}
