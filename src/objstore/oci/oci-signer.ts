/**
 * Signatures of Oracle's cloud, and where their keys come from. Specification: Oracle Cloud Infrastructure documentation,
 * "Request Signatures" (draft-cavage-http-signatures-08, version 1).
 */
import { createHash, createPrivateKey, createSign, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { CodedError, errorText } from '../../lib/errors.ts';
import { importOptional } from '../optional-package.ts';
import type { OciKey, OciProvider } from './oci-config.ts';

/** A key that is ready to sign. */
export interface OciIdentity {
  readonly region: string;
  /** The key now, as some are renewed. */
  current(): Promise<{ readonly keyId: string; readonly key: KeyObject }>;
}

/** What is signed. */
export interface OciRequest {
  readonly method: string;
  /** Path and query as they go out. */
  readonly target: string;
  readonly host: string;
  /** As in the header. */
  readonly date: string;
  /** Content that is signed: of POST, but not that of objects. */
  readonly body?: { readonly bytes: Uint8Array; readonly contentType: string } | undefined;
}

/** The headers of a signed request. */
export function signOci(
  request: OciRequest,
  { keyId, key }: { readonly keyId: string; readonly key: KeyObject },
): Readonly<Record<string, string>> {
  const { method, target, host, date, body } = request;
  const lines = [
    ['date', date],
    ['(request-target)', `${method.toLowerCase()} ${target}`],
    ['host', host],
  ];
  const headers: Record<string, string> = { date, host };
  if (body !== undefined) {
    const hash = createHash('sha256').update(body.bytes).digest('base64');
    headers['content-type'] = body.contentType;
    headers['x-content-sha256'] = hash;
    lines.push(
      ['content-length', String(body.bytes.length)],
      ['content-type', body.contentType],
      ['x-content-sha256', hash],
    );
  }
  const text = lines.map(([name, value]) => `${name}: ${value}`).join('\n');
  const signature = createSign('RSA-SHA256').update(text).sign(key, 'base64');
  const names = lines.map(([name]) => name).join(' ');
  headers['authorization'] =
    `Signature version="1",keyId="${keyId}",algorithm="rsa-sha256",` +
    `headers="${names}",signature="${signature}"`;
  return headers;
}

/** Finds the key. @throws CodedError bad_data when it is none; unavailable when a package is missing. */
export async function ociIdentity(
  provider: OciProvider,
  env: Readonly<Record<string, string | undefined>>,
): Promise<OciIdentity> {
  switch (provider.kind) {
    case 'raw':
      return fixed(provider.key, provider.region, 'privatekey');
    case 'default':
      return fromFile(env['OCI_CONFIG_FILE'] || path.join(homedir(), '.oci', 'config'));
    case 'instance-principal':
    case 'oke-workload-identity':
      return fromLibrary(provider.kind, provider.region);
  }
}

function fixed(given: OciKey, region: string, where: string): OciIdentity {
  const keyId = `${given.tenancy}/${given.user}/${given.fingerprint}`;
  const current = { keyId, key: privateKey(given.privateKey, given.passphrase, where) };
  return { region, current: () => Promise.resolve(current) };
}

function privateKey(pem: string, passphrase: string, where: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(passphrase === '' ? {} : { passphrase }) });
  } catch (thrown) {
    throw new CodedError('bad_data', `the key in ${where} cannot be read: ${errorText(thrown)}`);
  }
}

/** The profile DEFAULT of the file that Oracle's tools share. */
async function fromFile(file: string): Promise<OciIdentity> {
  const read = (name: string): Promise<string> =>
    readFile(name, 'utf8').catch((thrown: unknown): never => {
      throw new CodedError('bad_data', `read ${name}: ${errorText(thrown)}`, { cause: thrown });
    });
  const fields = defaultProfile(await read(file));
  const field = (name: string): string => fields.get(name) ?? '';
  for (const name of ['tenancy', 'user', 'fingerprint', 'key_file', 'region']) {
    if (field(name) === '') throw new CodedError('bad_data', `${file} has no ${name}`);
  }
  const keyFile = field('key_file').replace(/^~/, homedir());
  return fixed(
    {
      tenancy: field('tenancy'),
      user: field('user'),
      fingerprint: field('fingerprint'),
      privateKey: await read(keyFile),
      passphrase: field('pass_phrase'),
    },
    field('region'),
    keyFile,
  );
}

function defaultProfile(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    section = /^\s*\[([^\]]*)\]/.exec(line)?.[1]?.trim() ?? section;
    const field = /^\s*([^#;=\s]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (field !== null && section === 'DEFAULT') fields.set(field[1] ?? '', field[2] ?? '');
  }
  return fields;
}

interface OciProviderOfLibrary {
  getKeyId(): Promise<string>;
  getPrivateKey(): string;
  getPassphrase(): string | null;
  getRegion?(): { readonly regionId: string };
}

interface OciCommon {
  readonly InstancePrincipalsAuthenticationDetailsProviderBuilder: new () => {
    build(): Promise<OciProviderOfLibrary>;
  };
}

/** Identities of machines, whose keys are renewed: by Oracle's package. */
async function fromLibrary(
  kind: 'instance-principal' | 'oke-workload-identity',
  region: string,
): Promise<OciIdentity> {
  if (kind === 'oke-workload-identity') {
    throw new CodedError(
      'not_implemented',
      'the OCI provider oke-workload-identity is not implemented yet',
    );
  }
  const common = await importOptional<OciCommon>('oci-common', `the OCI provider ${kind}`);
  const provider =
    await new common.InstancePrincipalsAuthenticationDetailsProviderBuilder().build();
  const found = region || (provider.getRegion?.().regionId ?? '');
  return {
    region: found,
    current: async () => {
      const keyId = await provider.getKeyId();
      return {
        keyId,
        key: privateKey(provider.getPrivateKey(), provider.getPassphrase() ?? '', kind),
      };
    },
  };
}
