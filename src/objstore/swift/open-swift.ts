/** Makes the bucket of a configuration of type SWIFT. */
import type { Bucket } from '../bucket.ts';
import { systemSleep } from '../http/backoff.ts';
import { openAgent } from '../http/http-agent.ts';
import { HttpBucket } from '../http/http-bucket.ts';
import type { Send } from '../http/object-api.ts';
import { ObjectClient } from '../http/object-client.ts';
import type { OpenOptions } from '../http/open-options.ts';
import { TokenCache } from '../http/token-cache.ts';
import { logIn } from './keystone.ts';
import { SwiftApi } from './swift-api.ts';
import type { SwiftConfig } from './swift-config.ts';

/**
 * Opens a container: logs in and looks whether it is there, as Go's client does.
 * @throws CodedError bad_data when it is not; unavailable; AccessDeniedError.
 */
export async function openSwift(config: SwiftConfig, options: OpenOptions): Promise<Bucket> {
  const { clock, log, env = process.env, sleep = systemSleep } = options;
  const dispatcher = await openAgent(config.http, env);
  const session = new TokenCache(() => logIn(config.login, dispatcher), clock);
  const api = new SwiftApi(config, session);
  const client = new ObjectClient(api, { dispatcher, clock, sleep });
  const send: Send = (request, operation) => client.send(request, operation, undefined);
  try {
    await api.checkContainer(config.container, send);
    if (config.segmentContainer !== config.container) {
      await api.checkContainer(config.segmentContainer, send);
    }
  } catch (thrown) {
    await dispatcher.destroy();
    throw thrown;
  }
  return new HttpBucket(api, { dispatcher, clock, log, sleep });
}
