/** `aws_sdk_auth: true`: credentials as AWS' own SDK finds them, with profiles, SSO and processes. */
import { importOptional } from '../optional-package.ts';
import type { CredentialsSource } from './credentials.ts';

/** The part of the package that is used. */
interface CredentialProviders {
  readonly fromNodeProviderChain: (options: object) => () => Promise<{
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
    readonly expiration?: Date;
  }>;
}

/** The SDK's chain. @throws CodedError unavailable when its package is not installed. */
export async function sdkCredentials(region: string): Promise<CredentialsSource> {
  const { fromNodeProviderChain } = await importOptional<CredentialProviders>(
    '@aws-sdk/credential-providers',
    'aws_sdk_auth of a bucket of type S3',
  );
  const clientConfig = region === '' ? {} : { clientConfig: { region } };
  const provide = fromNodeProviderChain(clientConfig);
  return {
    name: 'the credential chain of the AWS SDK',
    load: async () => {
      const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provide();
      return {
        accessKey: accessKeyId,
        secretKey: secretAccessKey,
        sessionToken: sessionToken ?? '',
        expiresAt: expiration?.getTime(),
      };
    },
  };
}
