/**
 * What proves to Azure who we are. Signature: Azure Storage REST API reference, "Authorize with Shared Key". Tokens come
 * from Microsoft's package, which is loaded when a configuration needs it.
 */
import { createHmac } from 'node:crypto';
import { compareUtf8 } from '../../lib/utf8.ts';
import { importOptional } from '../optional-package.ts';
import type { AzureAuth } from './azure-config.ts';

/** A request to sign. */
export interface AzureRequest {
  readonly method: string;
  /** Encoded. */
  readonly path: string;
  /** Not encoded. */
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Names in lower case, `x-ms-date` and `x-ms-version` among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of content. */
  readonly length: number;
}

/** Headers that are signed by their place, in order. */
const PLACED = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  'date',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
];

/** The value of the Authorization header by an account's key, which is in base64. */
export function authorizeSharedKey(request: AzureRequest, account: string, key: string): string {
  const { method, path, query, headers, length } = request;
  const placed: Readonly<Record<string, string>> = {
    ...headers,
    'content-length': length === 0 ? '' : String(length),
  };
  const own = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .toSorted(compareUtf8)
    .map((name) => `${name}:${(headers[name] ?? '').trim()}`);
  const parameters = Object.entries(query)
    .map(([name, value = '']) => [name.toLowerCase(), value] as const)
    .toSorted(([a], [b]) => compareUtf8(a, b))
    .map(([name, value]) => `${name}:${value}`);
  const toSign = [
    method,
    ...PLACED.map((name) => placed[name] ?? ''),
    ...own,
    `/${account}${path}`,
    ...parameters,
  ].join('\n');
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(toSign);
  return `SharedKey ${account}:${signature.digest('base64')}`;
}

/** Tokens for storage. Keeps them until they end. */
export interface AzureTokens {
  getToken(scope: string): Promise<{ readonly token: string } | null>;
}

interface AzureIdentity {
  readonly ClientSecretCredential: new (
    tenant: string,
    client: string,
    secret: string,
  ) => AzureTokens;
  readonly ManagedIdentityCredential: new (options: { readonly clientId: string }) => AzureTokens;
  readonly DefaultAzureCredential: new () => AzureTokens;
}

/** The source of tokens; undefined when a key or a signature of its own does without. @throws CodedError unavailable. */
export async function azureTokens(auth: AzureAuth): Promise<AzureTokens | undefined> {
  if (auth.kind === 'key' || auth.kind === 'sas') return undefined;
  const identity = await importOptional<AzureIdentity>(
    '@azure/identity',
    'a bucket of type AZURE without an account key',
  );
  switch (auth.kind) {
    case 'client secret':
      return new identity.ClientSecretCredential(auth.tenantId, auth.clientId, auth.clientSecret);
    case 'managed identity':
      return new identity.ManagedIdentityCredential({ clientId: auth.clientId });
    case 'default':
      return new identity.DefaultAzureCredential();
  }
}
