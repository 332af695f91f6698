/** Makes the bucket of a configuration of type AZURE. */
import type { Bucket } from '../bucket.ts';
import { systemSleep } from '../http/backoff.ts';
import { openAgent } from '../http/http-agent.ts';
import { HttpBucket } from '../http/http-bucket.ts';
import { ObjectClient } from '../http/object-client.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { AzureApi } from './azure-api.ts';
import { type AzureTokens, azureTokens } from './azure-auth.ts';
import type { AzureConfig } from './azure-config.ts';

/**
 * Opens a container, and makes it unless the configuration says no.
 * @throws CodedError bad_data for a bad certificate file; unavailable when a package is missing or the store does not
 * answer; AccessDeniedError.
 */
export async function openAzure(
  config: AzureConfig,
  options: OpenOptions & { readonly tokens?: AzureTokens },
): Promise<Bucket> {
  const { clock, log, env = process.env, sleep = systemSleep } = options;
  for (const field of config.deprecated) log.warn('the field has no effect any more', { field });
  const tokens = options.tokens ?? (await azureTokens(config.auth));
  const dispatcher = await openAgent(config.http, env);
  const api = new AzureApi(config, tokens);
  if (config.createContainer) {
    const client = new ObjectClient(api, { dispatcher, clock, sleep });
    try {
      const made = await api.ensureContainer((request, operation) =>
        client.send(request, operation, undefined),
      );
      if (made) log.info('made the container', { container: config.container });
    } catch (thrown) {
      await dispatcher.destroy();
      throw thrown;
    }
  }
  return new HttpBucket(api, { dispatcher, clock, log, sleep });
}
