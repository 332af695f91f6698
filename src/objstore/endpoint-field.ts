/** Endpoints in bucket configurations. */
import type { StrictYaml } from '../lib/strict-yaml.ts';

/** Makes sure that a text is a host or the URL of one. @throws CodedError bad_data. */
export function checkEndpoint(yaml: StrictYaml, field: string, endpoint: string): void {
  const url = URL.parse(/^https?:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`);
  if (url !== null && url.username === '' && url.search === '' && url.hash === '') return;
  const shown = JSON.stringify(endpoint.slice(0, 100));
  throw yaml.errorAt(['config', field], `expected a host or a URL, is ${shown}`);
}
