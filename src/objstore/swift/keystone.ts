/** Logging in at OpenStack: a token, and where the objects are. Facts: Identity API v2.0 and v3, Object Storage v1 auth. */
import type { Dispatcher } from 'undici';
import { CodedError } from '../../lib/errors.ts';
import { askService, jsonFields } from '../http/ask-service.ts';
import { headerText } from '../http/object-client.ts';
import type { AccessToken } from '../http/token-cache.ts';
import type { SwiftLogin } from './swift-config.ts';

/** What requests are made by. */
export interface SwiftSession {
  readonly token: string;
  /** Of the account, without a slash at its end. */
  readonly storageUrl: string;
}

const WHAT = 'log in';

/** Logs in. @throws CodedError unavailable; AccessDeniedError. */
export async function logIn(
  login: SwiftLogin,
  dispatcher: Dispatcher,
): Promise<AccessToken<SwiftSession>> {
  switch (login.version) {
    case 1:
      return version1(login, dispatcher);
    case 2:
      return version2(login, dispatcher);
    case 3:
      return version3(login, dispatcher);
  }
}

async function version1(
  login: SwiftLogin,
  dispatcher: Dispatcher,
): Promise<AccessToken<SwiftSession>> {
  const { headers } = await askService(dispatcher, {
    url: login.url,
    headers: { 'x-auth-user': login.username, 'x-auth-key': login.password },
    what: WHAT,
  });
  return session(headerText(headers, 'x-auth-token'), headerText(headers, 'x-storage-url'));
}

interface CatalogV2 {
  readonly access?: {
    readonly token?: { readonly id?: string; readonly expires?: string };
    readonly serviceCatalog?: readonly {
      readonly type?: string;
      readonly endpoints?: readonly { readonly region?: string; readonly publicURL?: string }[];
    }[];
  };
}

async function version2(
  login: SwiftLogin,
  dispatcher: Dispatcher,
): Promise<AccessToken<SwiftSession>> {
  const { project, username, password } = login;
  const tenant = {
    ...(project.name === '' ? {} : { tenantName: project.name }),
    ...(project.id === '' ? {} : { tenantId: project.id }),
  };
  const { text } = await post(dispatcher, `${login.url}/tokens`, {
    auth: { passwordCredentials: { username, password }, ...tenant },
  });
  const { access } = jsonFields(text, WHAT) as CatalogV2;
  const endpoint = access?.serviceCatalog
    ?.filter(({ type }) => type === 'object-store')
    .flatMap(({ endpoints = [] }) => endpoints)
    .find(({ region }) => login.region === '' || region === login.region);
  return session(access?.token?.id, endpoint?.publicURL, access?.token?.expires);
}

interface CatalogV3 {
  readonly token?: {
    readonly expires_at?: string;
    readonly catalog?: readonly {
      readonly type?: string;
      readonly endpoints?: readonly {
        readonly interface?: string;
        readonly region?: string;
        readonly url?: string;
      }[];
    }[];
  };
}

async function version3(
  login: SwiftLogin,
  dispatcher: Dispatcher,
): Promise<AccessToken<SwiftSession>> {
  const { text, headers } = await post(dispatcher, `${login.url}/auth/tokens`, {
    auth: { identity: identityOf(login), ...scopeOf(login) },
  });
  const { token } = jsonFields(text, WHAT) as CatalogV3;
  const endpoint = token?.catalog
    ?.filter(({ type }) => type === 'object-store')
    .flatMap(({ endpoints = [] }) => endpoints)
    .find(
      (one) => one.interface === 'public' && (login.region === '' || one.region === login.region),
    );
  return session(headerText(headers, 'x-subject-token'), endpoint?.url, token?.expires_at);
}

/** An object without the fields that are empty. */
function filled(fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}

function identityOf(login: SwiftLogin): object {
  const { applicationCredential: credential, userDomain, username, userId, password } = login;
  const domain = userDomain.id === '' ? filled({ name: userDomain.name }) : { id: userDomain.id };
  const withDomain = Object.keys(domain).length === 0 ? {} : { domain };
  if (credential.id !== '' || credential.name !== '') {
    const { id, name, secret } = credential;
    const user =
      id === '' ? { user: userId === '' ? { name: username, ...withDomain } : { id: userId } } : {};
    return {
      methods: ['application_credential'],
      application_credential: { ...filled({ id, name }), secret, ...user },
    };
  }
  // An id stands for itself, a name belongs to a domain.
  const user = userId === '' ? { name: username, ...withDomain } : { id: userId };
  return { methods: ['password'], password: { user: { ...user, password } } };
}

function scopeOf(login: SwiftLogin): object {
  const { applicationCredential, project, projectDomain, userDomain } = login;
  // Such a credential has its project already.
  if (applicationCredential.id !== '' || applicationCredential.name !== '') return {};
  if (project.id !== '') return { scope: { project: { id: project.id } } };
  if (project.name === '') return {};
  const given = projectDomain.id !== '' || projectDomain.name !== '' ? projectDomain : userDomain;
  const domain = given.id === '' ? filled({ name: given.name }) : { id: given.id };
  return { scope: { project: { name: project.name, domain } } };
}

function post(dispatcher: Dispatcher, url: string, body: object): ReturnType<typeof askService> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  return askService(dispatcher, {
    url,
    method: 'POST',
    headers,
    body: JSON.stringify(body),
    what: WHAT,
  });
}

function session(
  token: string | undefined,
  url: string | undefined,
  expires?: string,
): AccessToken<SwiftSession> {
  if (token === undefined || token === '') {
    throw new CodedError('unavailable', `${WHAT}: the answer has no token`);
  }
  if (url === undefined || !URL.canParse(url)) {
    throw new CodedError(
      'unavailable',
      `${WHAT}: the answer names no place for objects in the region`,
    );
  }
  const expiresAt = Date.parse(expires ?? '');
  return {
    value: { token, storageUrl: url.replace(/\/+$/, '') },
    ...(Number.isNaN(expiresAt) ? {} : { expiresAt }),
  };
}
