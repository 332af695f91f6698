/** Makes the bucket of a configuration of type OCI. */
import type { Bucket } from '../bucket.ts';
import { systemSleep } from '../http/backoff.ts';
import { openAgent } from '../http/http-agent.ts';
import { HttpBucket } from '../http/http-bucket.ts';
import { ObjectClient } from '../http/object-client.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { OciApi } from './oci-api.ts';
import type { OciConfig } from './oci-config.ts';
import { ociIdentity } from './oci-signer.ts';

/**
 * Opens a bucket: asks for the namespace of the tenancy, as Go's client does.
 * @throws CodedError bad_data for bad keys; unavailable when a package is missing or the store does not answer;
 * AccessDeniedError.
 */
export async function openOci(
  config: OciConfig,
  options: OpenOptions & { readonly origin?: string },
): Promise<Bucket> {
  const { clock, log, env = process.env, sleep = systemSleep } = options;
  const identity = await ociIdentity(config.provider, env);
  const dispatcher = await openAgent(config.http, env);
  const origin = options.origin ?? `https://objectstorage.${identity.region}.oraclecloud.com`;
  const api = new OciApi(config, identity, origin);
  const client = new ObjectClient(api, { dispatcher, clock, sleep });
  try {
    await api.findNamespace((request, operation) => client.send(request, operation, undefined));
  } catch (thrown) {
    await dispatcher.destroy();
    throw thrown;
  }
  return new HttpBucket(api, { dispatcher, clock, log, sleep });
}
