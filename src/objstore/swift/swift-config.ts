/** Configuration of type SWIFT (OpenStack). Fields and defaults: objstore providers/swift/swift.go. */
import type { StrictYaml } from '../../lib/strict-yaml.ts';
import { configFields } from '../config-fields.ts';
import { type HttpConfig, httpConfigField } from '../http/http-config.ts';

/** By what we log in; '' where nothing is configured. */
export interface SwiftLogin {
  /** Of the identity service's interface. */
  readonly version: 1 | 2 | 3;
  /** Without a slash at its end. */
  readonly url: string;
  readonly username: string;
  readonly userId: string;
  readonly password: string;
  readonly userDomain: { readonly id: string; readonly name: string };
  readonly applicationCredential: {
    readonly id: string;
    readonly name: string;
    readonly secret: string;
  };
  readonly project: { readonly id: string; readonly name: string };
  readonly projectDomain: { readonly id: string; readonly name: string };
  readonly region: string;
}

/** Configuration of a container of Swift, complete and checked. */
export interface SwiftConfig {
  readonly container: string;
  readonly login: SwiftLogin;
  /** Bytes from which on an object goes in segments of this size. */
  readonly chunkBytes: number;
  /** Where segments go. */
  readonly segmentContainer: string;
  readonly useDynamicLargeObjects: boolean;
  /** Further tries of a request. */
  readonly retries: number;
  /** Milliseconds within which an answer must begin. */
  readonly timeoutMs: number;
  readonly http: HttpConfig;
}

/** Reads `config` of a bucket. @throws CodedError bad_data with file, line and field. */
export function readSwiftConfig(yaml: StrictYaml): SwiftConfig {
  const given = yaml.read(['config'], (z) => {
    const fields = configFields(z);
    const { text, bool, int, duration } = fields;
    return z.strictObject({
      auth_version: int(),
      auth_url: text(),
      username: text(),
      user_domain_name: text(),
      user_domain_id: text(),
      user_id: text(),
      password: text(),
      domain_id: text(),
      domain_name: text(),
      application_credential_id: text(),
      application_credential_name: text(),
      application_credential_secret: text(),
      project_id: text(),
      project_name: text(),
      project_domain_id: text(),
      project_domain_name: text(),
      region_name: text(),
      container_name: text(),
      large_object_chunk_size: int(1024 ** 3),
      large_object_segments_container_name: text(),
      retries: int(3),
      connect_timeout: duration(10_000),
      timeout: duration(300_000),
      use_dynamic_large_objects: bool(),
      http_config: httpConfigField(fields),
    });
  });
  const url = given.auth_url.replace(/\/+$/, '');
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw yaml.errorAt(['config', 'auth_url'], 'expected the URL of the identity service');
  }
  if (given.container_name === '') {
    throw yaml.errorAt(['config', 'container_name'], 'missing, expected the name of a container');
  }
  const version = given.auth_version === 0 ? versionOf(url) : given.auth_version;
  if (version !== 1 && version !== 2 && version !== 3) {
    throw yaml.errorAt(['config', 'auth_version'], `expected 1, 2 or 3, is ${version}`);
  }
  const chunk = given.large_object_chunk_size;
  return {
    container: given.container_name,
    login: {
      version,
      url,
      username: given.username,
      userId: given.user_id,
      password: given.password,
      // compat: Go's client takes the user's domain from domain_id and domain_name only.
      userDomain: {
        id: given.domain_id || given.user_domain_id,
        name: given.domain_name || given.user_domain_name,
      },
      applicationCredential: {
        id: given.application_credential_id,
        name: given.application_credential_name,
        secret: given.application_credential_secret,
      },
      project: { id: given.project_id, name: given.project_name },
      projectDomain: { id: given.project_domain_id, name: given.project_domain_name },
      region: given.region_name,
    },
    chunkBytes: chunk > 0 ? chunk : 1024 ** 3,
    segmentContainer: given.large_object_segments_container_name || given.container_name,
    useDynamicLargeObjects: given.use_dynamic_large_objects,
    retries: given.retries,
    timeoutMs: Math.min(
      given.timeout || Infinity,
      given.http_config.responseHeaderTimeoutMs || Infinity,
    ),
    http: given.http_config,
  };
}

/** As in ncw/swift: by the address, and 1 where that says nothing. */
function versionOf(url: string): number {
  if (url.includes('v3')) return 3;
  return url.includes('v2') ? 2 : 1;
}
