/**
 * Access tokens of Google's: from a service account's key, a user's refresh token, or the machine's metadata server.
 * Facts: Google Identity, "Using OAuth 2.0 for Server to Server Applications"; AIP-4110 to 4115. Kinds of credentials
 * that need more (workload identity federation) are left to Google's package, which is loaded then.
 */
import { createPrivateKey, createSign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../lib/clock.ts';
import { CodedError, errorText } from '../../lib/errors.ts';
import { askService, jsonFields } from '../http/ask-service.ts';
import { type AccessToken, TokenCache } from '../http/token-cache.ts';
import { importOptional } from '../optional-package.ts';

const SCOPES = [
  'https://www.googleapis.com/auth/devstorage.full_control',
  'https://www.googleapis.com/auth/cloud-platform',
];
const TOKEN_URL = 'https://oauth2.googleapis.com/token';
const METADATA_HOST = 'metadata.google.internal';
/** Seconds for which a token is asked, the most that Google gives. */
const LIFETIME_S = 3600;
/** limit: 3 s to find out that this is no machine of Google's. */
const PROBE_MS = 3000;

/** What tokens are asked by. */
export interface GoogleAccess {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The tokens of a key's JSON, or of what the environment has.
 * @throws CodedError bad_data when a key is none; unavailable when a package is missing.
 */
export async function googleTokens(json: string, access: GoogleAccess): Promise<TokenCache> {
  const { clock, env } = access;
  if (json !== '') return new TokenCache(await loaderOf(json, 'service_account', access), clock);
  const named = env['GOOGLE_APPLICATION_CREDENTIALS'] ?? '';
  if (named !== '') {
    const given = await readFile(named, 'utf8').catch((thrown: unknown): never => {
      throw new CodedError('bad_data', `read the credentials ${named}: ${errorText(thrown)}`);
    });
    return new TokenCache(await loaderOf(given, named, access), clock);
  }
  const folder = env['CLOUDSDK_CONFIG'] || path.join(homedir(), '.config', 'gcloud');
  const usual = path.join(folder, 'application_default_credentials.json');
  const found = await readFile(usual, 'utf8').catch(() => '');
  const load = found === '' ? machineToken(access) : await loaderOf(found, usual, access);
  return new TokenCache(load, clock);
}

/** How to get a token by a file of credentials. */
async function loaderOf(
  json: string,
  where: string,
  access: GoogleAccess,
): Promise<() => Promise<AccessToken>> {
  let fields: Fields;
  try {
    fields = jsonFields(json, where);
  } catch {
    // What is wrong is not shown: it may be part of a key.
    throw new CodedError('bad_data', `the credentials in ${where} are no JSON object`);
  }
  switch (text(fields, 'type')) {
    case 'service_account':
      return serviceAccountToken(fields, where, access);
    case 'authorized_user':
      return userToken(fields, access);
    default:
      return libraryToken(fields);
  }
}

function serviceAccountToken(
  fields: Fields,
  where: string,
  access: GoogleAccess,
): () => Promise<AccessToken> {
  const email = text(fields, 'client_email');
  const pem = text(fields, 'private_key');
  const url = text(fields, 'token_uri') || TOKEN_URL;
  if (email === '' || pem === '') {
    throw new CodedError(
      'bad_data',
      `the credentials in ${where} lack client_email or private_key`,
    );
  }
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(pem);
  } catch (thrown) {
    const message = `the private_key in ${where} cannot be read: ${errorText(thrown)}`;
    throw new CodedError('bad_data', message);
  }
  return () => {
    const issued = Math.floor(access.clock.now() / 1000);
    const claims = { iss: email, scope: SCOPES.join(' '), aud: url, iat: issued };
    const header = { alg: 'RS256', typ: 'JWT', kid: text(fields, 'private_key_id') };
    const parts = [header, { ...claims, exp: issued + LIFETIME_S }].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = createSign('RSA-SHA256').update(parts.join('.')).sign(key, 'base64url');
    return exchange(access, url, {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: [...parts, signature].join('.'),
    });
  };
}

function userToken(fields: Fields, access: GoogleAccess): () => Promise<AccessToken> {
  return () =>
    exchange(access, text(fields, 'token_uri') || TOKEN_URL, {
      grant_type: 'refresh_token',
      client_id: text(fields, 'client_id'),
      client_secret: text(fields, 'client_secret'),
      refresh_token: text(fields, 'refresh_token'),
    });
}

async function exchange(
  { dispatcher, clock }: GoogleAccess,
  url: string,
  form: Readonly<Record<string, string>>,
): Promise<AccessToken> {
  const what = 'ask for a token';
  const { text: answer } = await askService(dispatcher, {
    url,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
    what,
  });
  return tokenOf(answer, what, clock);
}

function machineToken({ dispatcher, clock, env }: GoogleAccess): () => Promise<AccessToken> {
  const host = env['GCE_METADATA_HOST'] || METADATA_HOST;
  const what = 'ask for a token, as GOOGLE_APPLICATION_CREDENTIALS names no file';
  return async () => {
    const { text: answer } = await askService(dispatcher, {
      url: `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`,
      headers: { 'metadata-flavor': 'Google' },
      what,
      timeoutMs: PROBE_MS,
    });
    return tokenOf(answer, what, clock);
  };
}

function tokenOf(answer: string, what: string, clock: Clock): AccessToken {
  const { access_token: value, expires_in: seconds } = jsonFields(answer, what);
  if (typeof value !== 'string' || value === '') {
    throw new CodedError('unavailable', `${what}: the answer has no token`);
  }
  const lifetime = typeof seconds === 'number' ? seconds : 0;
  return { value, expiresAt: clock.now() + lifetime * 1000 };
}

interface GoogleAuthLibrary {
  readonly GoogleAuth: new (options: object) => { getAccessToken(): Promise<string | null> };
}

/** Google's package renews tokens itself, so it is asked each time. */
async function libraryToken(credentials: Fields): Promise<() => Promise<AccessToken>> {
  const { GoogleAuth } = await importOptional<GoogleAuthLibrary>(
    'google-auth-library',
    `credentials of type ${JSON.stringify(text(credentials, 'type'))}`,
  );
  const auth = new GoogleAuth({ credentials, scopes: SCOPES });
  return async () => {
    const value = await auth.getAccessToken();
    if (value === null) throw new CodedError('unavailable', 'Google’s package gives no token');
    return { value, expiresAt: 0 };
  };
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}
