/** Credentials from this machine: variables of the environment, and the file that AWS' tools share. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import type { Credentials, CredentialsSource } from './credentials.ts';

/** Variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `AWS_ACCESS_KEY_ID` (or `AWS_ACCESS_KEY`), `AWS_SECRET_ACCESS_KEY` (or `AWS_SECRET_KEY`), `AWS_SESSION_TOKEN`. */
export function environmentCredentials(env: Environment): CredentialsSource {
  return {
    name: 'the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    load: async () =>
      credentialsOf({
        accessKey: env['AWS_ACCESS_KEY_ID'] || env['AWS_ACCESS_KEY'],
        secretKey: env['AWS_SECRET_ACCESS_KEY'] || env['AWS_SECRET_KEY'],
        sessionToken: env['AWS_SESSION_TOKEN'],
      }),
  };
}

/** `~/.aws/credentials` or AWS_SHARED_CREDENTIALS_FILE, the profile AWS_PROFILE or `default`. */
export function sharedFileCredentials(env: Environment): CredentialsSource {
  const file = env['AWS_SHARED_CREDENTIALS_FILE'] || path.join(homedir(), '.aws', 'credentials');
  return {
    name: `the file ${file}`,
    load: async () => {
      const text = await readFile(file, 'utf8').catch(() => '');
      const fields = profileOf(text, env['AWS_PROFILE'] || 'default');
      return credentialsOf({
        accessKey: fields.get('aws_access_key_id'),
        secretKey: fields.get('aws_secret_access_key'),
        sessionToken: fields.get('aws_session_token'),
      });
    },
  };
}

function credentialsOf(found: {
  readonly accessKey: string | undefined;
  readonly secretKey: string | undefined;
  readonly sessionToken: string | undefined;
}): Credentials | undefined {
  const { accessKey = '', secretKey = '', sessionToken = '' } = found;
  return accessKey === '' || secretKey === '' ? undefined : { accessKey, secretKey, sessionToken };
}

/** The fields of one section of an INI file. */
function profileOf(text: string, profile: string): Map<string, string> {
  const fields = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[\s*(?:profile\s+)?([^\]]*?)\s*\]/.exec(line);
    if (heading !== null) section = heading[1] ?? '';
    const field = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    if (field !== null && section === profile) {
      fields.set((field[1] ?? '').toLowerCase(), field[2] ?? '');
    }
  }
  return fields;
}
