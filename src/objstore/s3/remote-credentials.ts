/**
 * Credentials that AWS hands out to what runs there: by the token of a service account (IRSA), to containers (ECS, EKS
 * pod identity), to machines (EC2, IMDS version 2, or 1 where there is no 2). Facts: AWS SDKs and Tools Reference Guide.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { CodedError, errorText } from '../../lib/errors.ts';
import type { Credentials, CredentialsSource } from './credentials.ts';
import type { Environment } from './local-credentials.ts';
import { childText, parseXml } from './s3-xml.ts';

/** limit: 5 s for services that must be there. */
const TIMEOUT_MS = 5000;
/** limit: 1 s to find out that this is no machine of Amazon's, as AWS' own clients wait. */
const PROBE_MS = 1000;

const ECS_HOST = 'http://169.254.170.2';
const IMDS_HOST = 'http://169.254.169.254';

/**
 * A token of a service account exchanged at STS: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN. The endpoint is the
 * configured one, or the region's.
 */
export function webIdentityCredentials(env: Environment, stsEndpoint: string): CredentialsSource {
  return {
    name: 'the token of AWS_WEB_IDENTITY_TOKEN_FILE',
    load: async () => {
      const file = env['AWS_WEB_IDENTITY_TOKEN_FILE'] ?? '';
      const role = env['AWS_ROLE_ARN'] ?? '';
      if (file === '' || role === '') return undefined;
      const token = await readFile(file, 'utf8').catch((thrown: unknown): never => {
        throw failed(`read the token ${file}`, thrown);
      });
      const form = new URLSearchParams({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: role,
        RoleSessionName: env['AWS_ROLE_SESSION_NAME'] || `thanos-${randomUUID()}`,
        WebIdentityToken: token.trim(),
      });
      const endpoint = stsEndpoint === '' ? stsOf(env) : withScheme(stsEndpoint);
      const text = await ask(endpoint, TIMEOUT_MS, {
        method: 'POST',
        body: form.toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
      return fromSts(text, endpoint);
    },
  };
}

function stsOf(env: Environment): string {
  const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || '';
  if (region === '') return 'https://sts.amazonaws.com';
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  return `https://sts.${region}.${suffix}`;
}

function withScheme(endpoint: string): string {
  return /^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`;
}

function fromSts(text: string, endpoint: string): Credentials {
  const result = parseXml(text, 'AssumeRoleWithWebIdentityResponse', endpoint);
  const at = ['AssumeRoleWithWebIdentityResult', 'Credentials'];
  return checked(endpoint, {
    accessKey: childText(result, ...at, 'AccessKeyId'),
    secretKey: childText(result, ...at, 'SecretAccessKey'),
    sessionToken: childText(result, ...at, 'SessionToken'),
    expires: childText(result, ...at, 'Expiration'),
  });
}

/** AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE. */
export function containerCredentials(env: Environment, ecsHost = ECS_HOST): CredentialsSource {
  return {
    name: 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    load: async () => {
      const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] ?? '';
      const url = relative === '' ? env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] : ecsHost + relative;
      if (url === undefined || url === '') return undefined;
      const file = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '';
      const token =
        file === ''
          ? env['AWS_CONTAINER_AUTHORIZATION_TOKEN']
          : (await readFile(file, 'utf8')).trim();
      const headers = token === undefined || token === '' ? {} : { authorization: token };
      return fromJson(await ask(url, TIMEOUT_MS, { headers }), url);
    },
  };
}

/** The role of the machine; undefined when this is none of Amazon's, or AWS_EC2_METADATA_DISABLED says so. */
export function machineCredentials(env: Environment): CredentialsSource {
  const host = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || IMDS_HOST;
  return {
    name: `the metadata service ${host}`,
    load: async () => {
      if (env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') return undefined;
      const headers = await machineToken(host);
      if (headers === undefined) return undefined;
      const roles = `${host}/latest/meta-data/iam/security-credentials/`;
      const role = await ask(roles, PROBE_MS, { headers }).catch(() => '');
      const [name = ''] = role.trim().split('\n');
      if (name === '') return undefined;
      return fromJson(await ask(roles + name, TIMEOUT_MS, { headers }), roles + name);
    },
  };
}

/** The header that version 2 wants, none for version 1; undefined when nobody answers. */
async function machineToken(host: string): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    const token = await ask(`${host}/latest/api/token`, PROBE_MS, {
      method: 'PUT',
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' },
    });
    return { 'x-aws-ec2-metadata-token': token };
  } catch (thrown) {
    return thrown instanceof StatusError ? {} : undefined;
  }
}

function fromJson(text: string, url: string): Credentials {
  let given: Readonly<Record<string, string | undefined>>;
  try {
    given = JSON.parse(text) as typeof given;
  } catch (thrown) {
    throw failed(`read the credentials from ${url}`, thrown);
  }
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = given;
  return checked(url, {
    accessKey: AccessKeyId ?? '',
    secretKey: SecretAccessKey ?? '',
    sessionToken: Token ?? '',
    expires: Expiration ?? '',
  });
}

function checked(
  where: string,
  found: Omit<Credentials, 'expiresAt'> & { readonly expires: string },
): Credentials {
  const { accessKey, secretKey, sessionToken, expires } = found;
  if (accessKey === '' || secretKey === '') {
    throw new CodedError('unavailable', `${where} answers without a key`);
  }
  const expiresAt = Date.parse(expires);
  return {
    accessKey,
    secretKey,
    sessionToken,
    ...(Number.isNaN(expiresAt) ? {} : { expiresAt }),
  };
}

class StatusError extends CodedError {}

interface Question {
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The text of an answer of status 200. Keeps no connection. */
async function ask(url: string, timeoutMs: number, question: Question): Promise<string> {
  const dispatcher = new Agent({ connect: { timeout: timeoutMs }, allowH2: false });
  try {
    const { statusCode, body } = await request(url, {
      dispatcher,
      method: question.method ?? 'GET',
      headers: question.headers ?? {},
      body: question.body ?? null,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await body.text();
    if (statusCode !== 200) {
      const said = text.replaceAll(/\s+/g, ' ').slice(0, 300);
      throw new StatusError('unavailable', `${url} answers ${statusCode}: ${said}`);
    }
    return text;
  } catch (thrown) {
    throw thrown instanceof CodedError ? thrown : failed(`ask ${url} for credentials`, thrown);
  } finally {
    await dispatcher.destroy();
  }
}

function failed(what: string, thrown: unknown): CodedError {
  return new CodedError('unavailable', `${what}: ${errorText(thrown)}`, { cause: thrown });
}
