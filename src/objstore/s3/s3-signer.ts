/** Addresses and signs the requests to a bucket of S3, and finds out its region. */
import type { ObjectApi, StoreFailure, StoreRequest, WireRequest } from '../http/object-api.ts';
import { digests, type DigestAlgorithm, type Payload } from '../http/payload.ts';
import type { CredentialsProvider } from './credentials.ts';
import type { S3Config } from './s3-config.ts';
import { type BucketAddress, bucketAddress, regionOfEndpoint } from './s3-endpoint.ts';
import { authorizeV2 } from './sign-v2.ts';
import { amzDate, authorizeV4, canonicalQuery, UNSIGNED_PAYLOAD, uriEncode } from './sign-v4.ts';

/** The region of a bucket that says nothing else, as in every client of S3. */
const DEFAULT_REGION = 'us-east-1';

/** SHA-256 of nothing. */
const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Codes of failures that tell the right region. */
const WRONG_REGION = new Set([
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
  'InvalidRegion',
  'PermanentRedirect',
  'TemporaryRedirect',
]);
/** Codes of failures that new credentials may cure. */
const STALE_CREDENTIALS = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidToken',
  'TokenRefreshRequired',
]);

/** Asks for a bucket's region. Resolves to undefined when the store does not say. */
export type AskRegion = (signal: AbortSignal | undefined) => Promise<string | undefined>;

/** Signs for one bucket. */
export class S3Signer implements Required<Pick<ObjectApi, 'sign' | 'recover'>> {
  readonly #config: S3Config;
  readonly #credentials: CredentialsProvider;
  readonly #digests = new WeakMap<Payload, ReturnType<typeof digests>>();
  #region: string | undefined;
  #asking: Promise<void> | undefined;
  /** Set by whoever can send; until then the region is the default one. */
  askRegion: AskRegion | undefined;

  constructor(config: S3Config, credentials: CredentialsProvider) {
    this.#config = config;
    this.#credentials = credentials;
    this.#region = config.region || regionOfEndpoint(config.endpoint);
  }

  async sign(
    request: StoreRequest,
    now: number,
    signal: AbortSignal | undefined,
  ): Promise<WireRequest> {
    const { signatureV2, insecure, sendContentMd5 } = this.#config;
    // The question for the region is signed for the default one.
    const region = request.scope === 'location' ? DEFAULT_REGION : await this.#regionOf(signal);
    const address = bucketAddress(this.#config, region);
    const credentials = await this.#credentials.get();
    const { body, query = {} } = request;
    const object = request.object === undefined ? '' : `/${uriEncode(request.object, true)}`;
    const path = address.path + object || '/';
    const headers: Record<string, string> = { host: address.host, ...request.headers };
    const signsContent = !signatureV2 && credentials !== undefined && insecure;
    const sums = await this.#sums(
      body,
      [
        ...(sendContentMd5 && request.method === 'PUT' ? (['md5'] as const) : []),
        ...(signsContent ? (['sha256'] as const) : []),
      ],
      signal,
    );
    if (sums !== undefined && sums.md5.length > 0) {
      headers['content-md5'] = sums.md5.toString('base64');
    }
    const signable = { method: request.method, path, query, headers };
    if (credentials === undefined) return wire(address, signable);
    if (signatureV2) {
      // Rather than `date`, which proxies may change.
      headers['x-amz-date'] = new Date(now).toUTCString();
      if (credentials.sessionToken !== '') {
        headers['x-amz-security-token'] = credentials.sessionToken;
      }
      const bucket = `/${uriEncode(this.#config.bucket)}`;
      const resource = address.path === '' ? bucket + path : path;
      headers['authorization'] = authorizeV2(signable, resource, credentials);
      return wire(address, signable);
    }
    const payloadHash =
      body === undefined ? EMPTY_HASH : sums?.sha256.toString('hex') || UNSIGNED_PAYLOAD;
    headers['x-amz-date'] = amzDate(now);
    headers['x-amz-content-sha256'] = payloadHash;
    if (credentials.sessionToken !== '') {
      headers['x-amz-security-token'] = credentials.sessionToken;
    }
    headers['authorization'] = authorizeV4(signable, {
      credentials,
      region,
      service: 's3',
      now,
      payloadHash,
    });
    return wire(address, signable);
  }

  recover(failure: StoreFailure): Promise<boolean> {
    const { region } = failure.details ?? {};
    // A HEAD has no code, only the header.
    const isRegion =
      WRONG_REGION.has(failure.code) || (failure.code === '' && failure.status < 404);
    if (isRegion && region !== undefined) {
      // Possibly learned by another request meanwhile; a request is sent again once only.
      this.#region = region;
      return Promise.resolve(true);
    }
    if (!STALE_CREDENTIALS.has(failure.code)) return Promise.resolve(false);
    this.#credentials.expire();
    return Promise.resolve(true);
  }

  async #regionOf(signal: AbortSignal | undefined): Promise<string> {
    if (this.#region === undefined && this.askRegion !== undefined && !this.#config.signatureV2) {
      this.#asking ??= this.#ask(signal).finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
    return this.#region ?? DEFAULT_REGION;
  }

  async #ask(signal: AbortSignal | undefined): Promise<void> {
    // Who may not ask goes on with the default, and learns from what the store says then.
    const found = await this.askRegion?.(signal);
    this.#region ??= found ?? DEFAULT_REGION;
  }

  /** Once for all tries of a request. */
  async #sums(
    body: Payload | undefined,
    algorithms: readonly DigestAlgorithm[],
    signal: AbortSignal | undefined,
  ): Promise<Awaited<ReturnType<typeof digests>> | undefined> {
    if (body === undefined || algorithms.length === 0) return undefined;
    const known = this.#digests.get(body) ?? digests(body, algorithms, signal);
    this.#digests.set(body, known);
    return known;
  }
}

function wire(
  { origin }: BucketAddress,
  request: {
    readonly path: string;
    readonly query: Readonly<Record<string, string | undefined>>;
    readonly headers: Readonly<Record<string, string>>;
  },
): WireRequest {
  const query = canonicalQuery(request.query);
  const path = query === '' ? request.path : `${request.path}?${query}`;
  return { origin, path, headers: request.headers };
}
