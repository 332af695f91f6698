import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { authorizeV2 } from './sign-v2.ts';

/** "Signing and Authenticating REST Requests", Amazon Simple Storage Service Developer Guide, its examples in order. */
test('signature v2: the examples of the S3 developer guide', () => {
  const credentials = {
    accessKey: 'AKIAIOSFODNN7EXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    sessionToken: '',
  };
  const f = (
    method: string,
    resource: string,
    headers: Readonly<Record<string, string>>,
    signature: string,
    query: Readonly<Record<string, string | undefined>> = {},
  ): void => {
    const request = { method, path: '/unused', query, headers };
    equal(authorizeV2(request, resource, credentials), `AWS AKIAIOSFODNN7EXAMPLE:${signature}`);
  };
  const day = (time: string): { date: string } => ({ date: `Tue, 27 Mar 2007 ${time} +0000` });
  f('GET', '/johnsmith/photos/puppy.jpg', day('19:36:42'), 'bWq2s1WEIj+Ydj0vQ697zp+IXMU=');
  f(
    'PUT',
    '/johnsmith/photos/puppy.jpg',
    { ...day('21:15:45'), 'content-type': 'image/jpeg', 'content-length': '94328' },
    'MyyxeRY7whkBe+bq8fHCL/2kKUg=',
  );
  f('GET', '/johnsmith/', day('19:42:41'), 'htDYFYduRNen8P9ZfE/s9SuKy0U=', {
    prefix: 'photos',
    'max-keys': '50',
    marker: 'puppy',
  });
  f('GET', '/johnsmith/', day('19:44:46'), 'c2WLPFtWHVgbEmeEG93a4cG37dM=', { acl: undefined });
  f('DELETE', '/johnsmith/photos/puppy.jpg', day('21:20:26'), 'lx3byBScXR6KzyMaifNkardMwNk=');
  f(
    'PUT',
    '/static.johnsmith.net/db-backup.dat.gz',
    {
      ...day('21:06:08'),
      'x-amz-acl': 'public-read',
      'content-type': 'application/x-download',
      'content-md5': '4gJE4saaMU4BqNR0kLY+lw==',
      'x-amz-meta-reviewedby': 'joe@johnsmith.net,jane@johnsmith.net',
      'x-amz-meta-filechecksum': '0x02661779',
      'x-amz-meta-checksumalgorithm': 'crc32',
      'content-encoding': 'gzip',
    },
    'ilyl83RwaSoYIEdixDQcA4OnAnc=',
  );
  const later = (time: string): { date: string } => ({ date: `Wed, 28 Mar 2007 ${time} +0000` });
  f('GET', '/', later('01:29:59'), 'qGdzdERIC03wnaRNKh6OqZehG9s=');
  f(
    'GET',
    '/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re',
    later('01:49:49'),
    'DNEZGsoieTZ92F3bUfSPQcbGmlM=',
  );
});
