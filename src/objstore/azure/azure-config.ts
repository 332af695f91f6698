/** Configuration of type AZURE. Fields, defaults and refusals: objstore providers/azure/azure.go. */
import { CodedError, errorText } from '../../lib/errors.ts';
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields } from '../config-fields.ts';
import { checkEndpoint } from '../endpoint-field.ts';
import { type HttpConfig, httpConfigField } from '../http/http-config.ts';
import type { RetryPolicy } from '../http/object-api.ts';

/** How a bucket proves who it is. */
export type AzureAuth =
  | { readonly kind: 'key'; readonly account: string; readonly key: string }
  /** A query that is part of every request. */
  | { readonly kind: 'sas'; readonly query: string }
  | {
      readonly kind: 'client secret';
      readonly tenantId: string;
      readonly clientId: string;
      readonly clientSecret: string;
    }
  | { readonly kind: 'managed identity'; readonly clientId: string }
  /** Whatever the machine has: variables, workload identity, managed identity, Azure's command line. */
  | { readonly kind: 'default' };

/** Configuration of a container of Azure, complete and checked. */
export interface AzureConfig {
  readonly container: string;
  /** The URL of the account's blobs, without a slash at its end. */
  readonly url: string;
  readonly auth: AzureAuth;
  /** Whether a container that is missing is made. */
  readonly createContainer: boolean;
  readonly retries: RetryPolicy;
  readonly http: HttpConfig;
  /** Fields without effect that are set, for a warning. */
  readonly deprecated: readonly string[];
}

/** azcore's defaults: three further tries, 0.8 s doubled up to 60 s. */
const RETRIES = { more: 3, firstMs: 800, mostMs: 60_000 };

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readAzureConfig(yaml: StrictYaml): AzureConfig {
  const given = readFields(yaml);
  const problems = problemsOf(given);
  if (problems.length > 0) throw yaml.errorAt(['config'], problems.join(', '));
  checkEndpoint(yaml, 'endpoint', given.endpoint);
  const pipeline = given.pipeline_config;
  const tries = pipeline?.max_tries || given.max_retries || RETRIES.more;
  return {
    container: given.container,
    ...access(yaml, given),
    createContainer: given.storage_create_container,
    retries: {
      triesMax: tries + 1,
      firstMs: pipeline?.retry_delay || RETRIES.firstMs,
      mostMs: pipeline?.max_retry_delay || RETRIES.mostMs,
      tryMs: pipeline?.try_timeout || undefined,
    },
    http: given.http_config,
    deprecated: given.msi_resource === '' ? [] : ['msi_resource'],
  };
}

type AzureFields = ReturnType<typeof readFields>;

function readFields(yaml: StrictYaml) {
  return yaml.read(['config'], (z) => {
    const fields = configFields(z);
    const { text, bool, int, duration } = fields;
    return z.strictObject({
      az_tenant_id: text(),
      client_id: text(),
      client_secret: text(),
      storage_account: text(),
      storage_account_key: text(),
      storage_connection_string: text(),
      storage_create_container: bool(true),
      container: text(),
      endpoint: text('blob.core.windows.net'),
      user_assigned_id: text(),
      max_retries: int(),
      // Contents that break off are always made up for: how often is not configured.
      reader_config: z.strictObject({ max_retry_requests: int() }).optional(),
      pipeline_config: z
        .strictObject({
          max_tries: int(),
          try_timeout: duration(0),
          retry_delay: duration(0),
          max_retry_delay: duration(0),
        })
        .optional(),
      http_config: httpConfigField(fields),
      msi_resource: text(),
    });
  });
}

/** Texts: objstore azure.go (validate). */
function problemsOf(given: AzureFields): string[] {
  const problems: string[] = [];
  const { user_assigned_id: user, client_id: client } = given;
  const key = given.storage_account_key;
  const connection = given.storage_connection_string;
  const cannot = (how: string): string =>
    `user_assigned_id cannot be set when using ${how} authentication`;
  if (user !== '' && key !== '') problems.push(cannot('storage_account_key'));
  if (user !== '' && connection !== '') problems.push(cannot('storage_connection_string'));
  if (user !== '' && client !== '') problems.push(cannot('client_id'));
  const principal = [given.az_tenant_id, client, given.client_secret];
  if (principal.includes('') && principal.some((one) => one !== '')) {
    problems.push('az_tenant_id, client_id, and client_secret must be set together');
  }
  if (key !== '' && connection !== '') {
    problems.push('storage_account_key and storage_connection_string cannot both be set');
  }
  if (given.storage_account === '') {
    problems.push('storage_account_name is required but not configured');
  }
  if (given.container === '') problems.push('no container specified');
  return problems;
}

function access(yaml: StrictYaml, given: AzureFields): Pick<AzureConfig, 'url' | 'auth'> {
  if (given.storage_connection_string !== '') {
    try {
      return parseConnectionString(given.storage_connection_string);
    } catch (thrown) {
      throw yaml.errorAt(['config', 'storage_connection_string'], errorText(thrown));
    }
  }
  const account = given.storage_account;
  const url = `https://${account}.${given.endpoint.replace(/\/$/, '')}`;
  const { storage_account_key: key, az_tenant_id: tenantId, client_id: clientId } = given;
  if (key !== '') return { url, auth: { kind: 'key', account, key } };
  if (clientId !== '') {
    const clientSecret = given.client_secret;
    return { url, auth: { kind: 'client secret', tenantId, clientId, clientSecret } };
  }
  if (given.user_assigned_id !== '') {
    return { url, auth: { kind: 'managed identity', clientId: given.user_assigned_id } };
  }
  return { url, auth: { kind: 'default' } };
}

/** The account of emulators, which is public. Source: Azurite's documentation. */
const DEVELOPMENT =
  'DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;' +
  'AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;' +
  'BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;';

/** Takes a connection string apart. @throws CodedError bad_data without secrets in its text. */
function parseConnectionString(text: string): Pick<AzureConfig, 'url' | 'auth'> {
  const fields = fieldsOf(text);
  if (fields.get('usedevelopmentstorage') === 'true') return parseConnectionString(DEVELOPMENT);
  const account = fields.get('accountname') ?? '';
  const key = fields.get('accountkey') ?? '';
  const sas = fields.get('sharedaccesssignature') ?? '';
  const endpoint = fields.get('blobendpoint') ?? '';
  const protocol = fields.get('defaultendpointsprotocol') ?? 'https';
  const suffix = fields.get('endpointsuffix') ?? 'core.windows.net';
  if (endpoint === '' && account === '') {
    throw new CodedError('bad_data', 'expected AccountName or BlobEndpoint in it');
  }
  const url = (endpoint || `${protocol}://${account}.blob.${suffix}`).replace(/\/$/, '');
  if (!URL.canParse(url)) throw new CodedError('bad_data', 'its BlobEndpoint is no URL');
  if (sas !== '') return { url, auth: { kind: 'sas', query: sas.replace(/^\?/, '') } };
  if (account === '' || key === '') {
    throw new CodedError(
      'bad_data',
      'expected AccountName and AccountKey, or SharedAccessSignature',
    );
  }
  return { url, auth: { kind: 'key', account, key } };
}

function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const part of text.split(';')) {
    const at = part.indexOf('=');
    if (at > 0) fields.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim());
  }
  return fields;
}
