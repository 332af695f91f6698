/** Encryption by the store: the headers of each kind of request. Behaviour: minio-go pkg/encrypt/server-side.go. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { CodedError, errorText } from '../../lib/errors.ts';
import type { SseConfig } from './s3-config.ts';

type Headers = Readonly<Record<string, string>>;

/** Headers of encryption. */
export interface SseHeaders {
  /** Of requests that begin an object. */
  readonly write: Headers;
  /** Of requests that read one, or write a part of one. */
  readonly read: Headers;
}

const PREFIX = 'x-amz-server-side-encryption';
const KEY_BYTES = 32;

/** Reads what a configuration names. @throws CodedError bad_data when the key's file is not what it should be. */
export async function sseHeaders(config: SseConfig | undefined): Promise<SseHeaders> {
  switch (config?.type) {
    case undefined:
      return { write: {}, read: {} };
    case 'SSE-S3':
      return { write: { [PREFIX]: 'AES256' }, read: {} };
    case 'SSE-KMS': {
      const context = Buffer.from(JSON.stringify(config.context)).toString('base64');
      return {
        write: {
          [PREFIX]: 'aws:kms',
          [`${PREFIX}-aws-kms-key-id`]: config.keyId,
          [`${PREFIX}-context`]: context,
        },
        read: {},
      };
    }
    case 'SSE-C': {
      const key = await readKey(config.keyFile);
      const headers = {
        [`${PREFIX}-customer-algorithm`]: 'AES256',
        [`${PREFIX}-customer-key`]: key.toString('base64'),
        [`${PREFIX}-customer-key-md5`]: createHash('md5').update(key).digest('base64'),
      };
      return { write: headers, read: headers };
    }
  }
}

async function readKey(file: string): Promise<Buffer> {
  const key = await readFile(file).catch((thrown: unknown): never => {
    throw new CodedError('bad_data', `read the encryption key ${file}: ${errorText(thrown)}`, {
      cause: thrown,
    });
  });
  if (key.length === KEY_BYTES) return key;
  const message = `the encryption key ${file} has ${key.length} bytes, expected ${KEY_BYTES}`;
  throw new CodedError('bad_data', message);
}
