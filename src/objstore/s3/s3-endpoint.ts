/**
 * Where a bucket of S3 is: host, path and region from the configured endpoint. Behaviour: minio-go api.go
 * (makeTargetURL, isVirtualHostStyleRequest), pkg/s3utils, pkg/endpoints.
 */
import { isIP } from 'node:net';
import { uriEncode } from './sign-v4.ts';

/** What the address of a bucket depends on. */
export interface EndpointOptions {
  /** Host, with a port if need be. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly insecure: boolean;
  readonly dualstack: boolean;
  readonly lookup: 'auto' | 'virtual-hosted' | 'path';
}

/** The address of a bucket. */
export interface BucketAddress {
  readonly origin: string;
  /** The value of the header `host`. */
  readonly host: string;
  /** The path of the bucket: `/bucket` or nothing. */
  readonly path: string;
}

const AMAZON = /^s3[.-].*\.amazonaws\.com(?:\.cn)?$|^s3\.amazonaws\.com(?:\.cn)?$/;
/** Hosts of Amazon's that are to be taken as they are. */
const FIXED = /^s3-fips|\.s3-fips|fips\.|\.vpce\.amazonaws\.com|^s3-accelerate|s3express/;

/** Whether a host is one of Amazon's general ones. */
function isAmazon(host: string): boolean {
  return AMAZON.test(host);
}

/** The region that is part of the name of an endpoint; undefined when there is none. */
export function regionOfEndpoint(endpoint: string): string | undefined {
  const host = hostOf(endpoint);
  const match =
    /^(?:[\w.-]+\.)?s3(?:-fips)?[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$/.exec(
      host,
    ) ?? /\.s3\.([a-z0-9-]+)\.vpce\.amazonaws\.com(?:\.cn)?$/.exec(host);
  return match?.[1];
}

/** The address in a region. @throws nothing; a name that is no host fails when it is looked up. */
export function bucketAddress(options: EndpointOptions, region: string): BucketAddress {
  const { endpoint, bucket, insecure } = options;
  const base =
    isAmazon(hostOf(endpoint)) && !FIXED.test(endpoint) ? amazonHost(options, region) : endpoint;
  const virtual = isVirtualHosted(options);
  const host = withoutDefaultPort(virtual ? `${bucket}.${base}` : base, insecure);
  return {
    host,
    origin: `${insecure ? 'http' : 'https'}://${host}`,
    path: virtual ? '' : `/${uriEncode(bucket)}`,
  };
}

function amazonHost({ dualstack }: EndpointOptions, region: string): string {
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  return `s3.${dualstack ? 'dualstack.' : ''}${region}.${suffix}`;
}

function isVirtualHosted({ endpoint, bucket, insecure, lookup }: EndpointOptions): boolean {
  if (lookup !== 'auto') return lookup === 'virtual-hosted';
  const host = hostOf(endpoint);
  // A certificate for *.host does not cover a name with more dots.
  if (isIP(host.replaceAll(/[[\]]/g, '')) !== 0 || (!insecure && bucket.includes('.')))
    return false;
  return isAmazon(host) || host === 'storage.googleapis.com' || host.endsWith('.aliyuncs.com');
}

function hostOf(endpoint: string): string {
  return endpoint.replace(/:\d+$/, '').toLowerCase();
}

/** HTTP clients leave a default port out of the header, so it must not be signed. */
function withoutDefaultPort(host: string, insecure: boolean): string {
  return host.replace(insecure ? /:80$/ : /:443$/, '');
}
