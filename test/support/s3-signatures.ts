/** Checks signatures of S3 with what is not our own code: AWS' signer for V4, the specification step by step for V2. */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

/** A request as a server sees it. */
export interface ReceivedRequest {
  readonly method: string;
  /** As it came: path and query. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Whose signatures are good. */
export interface SigningKeys {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** What is wrong with a request; undefined when nothing is. `bodySha256` is in hex. */
export type SignatureCheck = (
  request: ReceivedRequest,
  body: { readonly sha256: string; readonly md5: string },
) => Promise<string | undefined>;

/** node:crypto as AWS' packages want it. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    if (secret === undefined) this.#hash = createHash('sha256');
    else {
      const key =
        typeof secret === 'string'
          ? secret
          : ArrayBuffer.isView(secret)
            ? Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength)
            : Buffer.from(secret);
      this.#hash = createHmac('sha256', key);
    }
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error('reset is not used');
  }
}

/** The Authorization header that AWS' own signer makes for a request. */
export async function awsAuthorization(
  { method, url, headers }: ReceivedRequest,
  keys: SigningKeys & { readonly region: string; readonly service: string },
): Promise<string> {
  const { pathname, searchParams } = new URL(`http://host${url}`);
  const [rawPath = pathname] = url.split('?');
  const date = headers['x-amz-date'] ?? '';
  const signer = new SignatureV4({
    service: keys.service,
    region: keys.region,
    credentials: { accessKeyId: keys.accessKey, secretAccessKey: keys.secretKey },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const signed = await signer.sign(
    {
      method,
      protocol: 'http:',
      hostname: headers['host'] ?? '',
      path: rawPath,
      query: Object.fromEntries(searchParams),
      headers: { ...headers },
    },
    {
      signingDate: new Date(date.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z')),
      signableHeaders: new Set(Object.keys(headers)),
      unsignableHeaders: new Set(),
    },
  );
  return signed.headers['authorization'] ?? '';
}

/** Checks version 4, that all headers that matter are signed, and that the content is the one that was signed. */
export function checkV4(keys: SigningKeys & { readonly region: string }): SignatureCheck {
  return async (request, body) => {
    const { authorization = '' } = request.headers;
    const names = /SignedHeaders=([^,]*)/.exec(authorization)?.[1]?.split(';') ?? [];
    for (const name of Object.keys(request.headers)) {
      const matters = name === 'host' || name === 'range' || name.startsWith('x-amz-');
      if (matters && !names.includes(name)) return `the header ${name} is not signed`;
    }
    const signed = Object.fromEntries(names.map((name) => [name, request.headers[name] ?? '']));
    const wanted = await awsAuthorization(
      { ...request, headers: signed },
      { ...keys, service: 's3' },
    );
    if (wanted !== authorization) return `expected ${wanted}, is ${authorization}`;
    const hash = request.headers['x-amz-content-sha256'];
    if (hash !== 'UNSIGNED-PAYLOAD' && hash !== body.sha256) return 'the content is another one';
    return checkMd5(request, body.md5);
  };
}

function checkMd5({ headers }: ReceivedRequest, md5: string): string | undefined {
  const announced = headers['content-md5'];
  return announced === undefined || announced === md5 ? undefined : 'the MD5 is another one';
}

/** Sub-resources that requests of ours may have. */
const SUBRESOURCES = ['location', 'partNumber', 'uploadId', 'uploads'];

/** How a store's signatures of the older kind are called. */
export interface V2Names {
  readonly scheme: string;
  readonly prefix: string;
  /** The bucket, where the path does not begin with it. */
  readonly bucket?: string;
  /** Whether the path is decoded before it is signed. */
  readonly isDecoded?: boolean;
}

/** Checks version 2 and what other stores made of it. */
export function checkV2(keys: SigningKeys, names: V2Names): SignatureCheck {
  return (request, body) => {
    const { method, url, headers } = request;
    const [path = '', query = ''] = url.split('?');
    const sub = query
      .split('&')
      .map((part) => part.split('=').map(decodeURIComponent))
      .filter(([name = '']) => SUBRESOURCES.includes(name))
      .map(([name = '', value = '']) => (value === '' ? name : `${name}=${value}`))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .join('&');
    const own = Object.keys(headers)
      .filter((name) => name.startsWith(names.prefix))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((name) => `${name}:${headers[name]}\n`)
      .join('');
    const bucket = names.bucket === undefined ? '' : `/${names.bucket}`;
    const signedPath = names.isDecoded === true ? decodeURIComponent(path) : path;
    const date = headers[`${names.prefix}date`] === undefined ? (headers['date'] ?? '') : '';
    const text =
      `${method}\n${headers['content-md5'] ?? ''}\n${headers['content-type'] ?? ''}\n${date}\n` +
      `${own}${bucket}${signedPath}${sub === '' ? '' : `?${sub}`}`;
    const signature = createHmac('sha1', keys.secretKey).update(text).digest('base64');
    const wanted = `${names.scheme} ${keys.accessKey}:${signature}`;
    const { authorization = '' } = headers;
    if (wanted === authorization) return Promise.resolve(checkMd5(request, body.md5));
    return Promise.resolve(`expected ${wanted} for ${JSON.stringify(text)}, is ${authorization}`);
  };
}

/** Checks a signature of Tencent's store, by its documentation. */
export function checkCos(keys: SigningKeys): SignatureCheck {
  return (request) => {
    const { method, url, headers } = request;
    const [path = '', query = ''] = url.split('?');
    const given = new Map(
      (headers['authorization'] ?? '').split('&').map((part) => {
        const at = part.indexOf('=');
        return [part.slice(0, at), part.slice(at + 1)];
      }),
    );
    const keyTime = given.get('q-key-time') ?? '';
    const [from = 0, to = 0] = keyTime.split(';').map(Number);
    const now = Date.now() / 1000;
    if (from > now + 1 || to < now) return Promise.resolve(`the key is out of time: ${keyTime}`);
    const names = (given.get('q-header-list') ?? '').split(';');
    const signed = names.map((name) => `${name}=${escapeAll(headers[name] ?? '')}`).join('&');
    const parameters = query
      .split('&')
      .filter((part) => part !== '')
      .map((part) => part.split('=').map(decodeURIComponent))
      .map(([name = '', value = '']) => [escapeAll(name).toLowerCase(), escapeAll(value)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    if (parameters.map(([name]) => name).join(';') !== given.get('q-url-param-list')) {
      return Promise.resolve('a parameter is not signed');
    }
    if (!names.includes('host')) return Promise.resolve('the host is not signed');
    const pairs = parameters.map(([name, value]) => `${name}=${value}`).join('&');
    const text = `${method.toLowerCase()}\n${decodeURIComponent(path)}\n${pairs}\n${signed}\n`;
    const hash = createHash('sha1').update(text).digest('hex');
    const signKey = createHmac('sha1', keys.secretKey).update(keyTime).digest('hex');
    const signature = createHmac('sha1', signKey)
      .update(`sha1\n${keyTime}\n${hash}\n`)
      .digest('hex');
    const isGood = given.get('q-signature') === signature && given.get('q-ak') === keys.accessKey;
    return Promise.resolve(
      isGood ? undefined : `expected ${signature} for ${JSON.stringify(text)}`,
    );
  };
}

/** Checks a signature of Baidu's store, by its documentation. */
export function checkBos(keys: SigningKeys): SignatureCheck {
  return (request) => {
    const { method, url, headers } = request;
    const [path = '', query = ''] = url.split('?');
    const given = (headers['authorization'] ?? '').split('/');
    const [version, accessKey, date = '', lifetime, names = '', signature] = given;
    if (version !== 'bce-auth-v1' || accessKey !== keys.accessKey) return Promise.resolve('no key');
    if (Math.abs(Date.parse(date) - Date.now()) > 60_000) return Promise.resolve('out of time');
    if (!names.split(';').includes('host')) return Promise.resolve('the host is not signed');
    const parameters = query
      .split('&')
      .filter((part) => part !== '')
      .map((part) => part.split('=').map(decodeURIComponent))
      .map(([name = '', value = '']) => `${escapeAll(name)}=${escapeAll(value)}`)
      .toSorted((a, b) => (a < b ? -1 : 1));
    const signed = names
      .split(';')
      .map((name) => `${name}:${escapeAll(headers[name] ?? '')}`)
      .toSorted((a, b) => (a < b ? -1 : 1));
    const text = [method, path, parameters.join('&'), signed.join('\n')].join('\n');
    const session = `bce-auth-v1/${accessKey}/${date}/${lifetime}`;
    const key = createHmac('sha256', keys.secretKey).update(session).digest('hex');
    const wanted = createHmac('sha256', key).update(text).digest('hex');
    const isGood = wanted === signature;
    return Promise.resolve(isGood ? undefined : `expected ${wanted} for ${JSON.stringify(text)}`);
  };
}

/** All but letters, digits and `-._~`. */
function escapeAll(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[\w.~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}
