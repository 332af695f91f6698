/**
 * TLS from files: certificate, key and authorities, read again when the files change. Behaviour and texts: thanos
 * pkg/tls.
 *
 * compat: Go reads the authorities once and fails handshakes while a new certificate cannot be read. Here authorities
 * are read again as well, and what was read last stays in use until the files are good.
 */
import { X509Certificate } from 'node:crypto';
import { type Stats, readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  type SecureContextOptions,
  type Server,
  type TlsOptions,
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
} from 'node:tls';
import { CodedError, errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { type TlsLimits, tlsLimits } from './tls-names.ts';

/** Paths of PEM files; '' is the same as absent. */
export interface TlsFiles extends TlsLimits {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** Authorities: those that sign clients for a server, servers for a client. */
  readonly caFile?: string | undefined;
}

/** The files of a client, and how it checks the server. */
export interface ClientTlsFiles extends TlsFiles {
  /** The name to expect in the server's certificate, instead of the host that is connected to. */
  readonly serverName?: string | undefined;
  /** Accept any certificate. */
  readonly skipVerify?: boolean | undefined;
}

/** The contents of the files, and by which stats they were read. */
interface Material {
  readonly stamp: string;
  readonly context: SecureContextOptions;
}

/**
 * The TLS of servers: `createSecureServer({ ...tls.options, … })`, then `tls.follow(server)`. With authorities a
 * client must bring a certificate of one of them.
 */
export class ServerTls {
  readonly #files: TlsFiles;
  readonly #log: Logger;
  readonly #limits: SecureContextOptions;
  #material: Material;

  private constructor(files: TlsFiles, log: Logger, material: Material) {
    this.#files = files;
    this.#log = log;
    this.#limits = tlsLimits(files);
    this.#material = material;
  }

  /**
   * Reads the files; undefined when neither certificate nor key is given: TLS is off.
   * @throws CodedError bad_data when something is missing, unreadable or no PEM.
   */
  static async open(files: TlsFiles, log: Logger): Promise<ServerTls | undefined> {
    const [cert, key] = [given(files.certFile), given(files.keyFile)];
    if (!cert && !key) {
      if (!given(files.caFile)) return undefined;
      const message = 'when a client CA is used a server key and certificate must also be provided';
      throw new CodedError('bad_data', message);
    }
    if (!cert || !key) {
      throw new CodedError('bad_data', 'both server key and certificate must be provided');
    }
    return new ServerTls(files, log, await readMaterial(files));
  }

  /** For `https.createServer`, `http2.createSecureServer`, `tls.createServer` and fastify's `https`. */
  get options(): TlsOptions {
    const verify = given(this.#files.caFile);
    return {
      ...this.#context(),
      requestCert: verify,
      rejectUnauthorized: verify,
    };
  }

  /**
   * From now on each new connection to the server is served with what the files hold then. Costs three stats a
   * connection, some µs against the ms of a handshake.
   */
  follow(server: Server): void {
    server.prependListener('connection', () => {
      if (this.#reread()) server.setSecureContext(this.#context());
    });
  }

  #context(): SecureContextOptions {
    return { ...this.#limits, ...this.#material.context };
  }

  /** Whether there is something new. Synchronous, because the handshake begins right after. */
  #reread(): boolean {
    try {
      const stamp = stampOf(pathsOf(this.#files).map((path) => statSync(path)));
      if (stamp === this.#material.stamp) return false;
      const texts = pathsOf(this.#files).map((path) => readFileSync(path, 'utf8'));
      this.#material = checkMaterial(this.#files, stamp, texts);
      this.#log.info('TLS certificates reloaded', { cert: this.#files.certFile });
      return true;
    } catch (thrown) {
      const err = errorText(thrown);
      this.#log.error('cannot reload TLS certificates, the old ones stay in use', { err });
      return false;
    }
  }
}

/** The TLS of clients. One object serves any number of connections. */
export class ClientTls {
  readonly #files: ClientTlsFiles;
  readonly #limits: SecureContextOptions;
  #material: Material | undefined;

  private constructor(files: ClientTlsFiles) {
    this.#files = files;
    this.#limits = tlsLimits(files);
  }

  /** Reads the files. @throws CodedError bad_data when something is missing, unreadable or no PEM. */
  static async open(files: ClientTlsFiles): Promise<ClientTls> {
    if (given(files.certFile) !== given(files.keyFile)) {
      throw new CodedError('bad_data', 'both client key and certificate must be provided');
    }
    const tls = new ClientTls(files);
    await tls.connectOptions();
    return tls;
  }

  /**
   * Options for the next `tls.connect`, from what the files hold now.
   * @throws CodedError bad_data when they cannot be read and never could.
   */
  async connectOptions(): Promise<ConnectionOptions> {
    await this.#refresh();
    const { serverName = '', skipVerify = false } = this.#files;
    const options: ConnectionOptions = {
      ca: systemAuthorities(),
      ...this.#limits,
      ...this.#material?.context,
      rejectUnauthorized: !skipVerify,
    };
    if (skipVerify) options.checkServerIdentity = () => undefined;
    if (serverName === '') return options;
    // An address is not sent as a server's name (RFC 6066, section 3).
    if (isIP(serverName) === 0) options.servername = serverName;
    if (!skipVerify) {
      options.checkServerIdentity = (_host, cert) => checkServerIdentity(serverName, cert);
    }
    return options;
  }

  async #refresh(): Promise<void> {
    const paths = pathsOf(this.#files);
    if (paths.length === 0) return;
    try {
      const stamp = stampOf(await Promise.all(paths.map((path) => stat(path))));
      if (stamp !== this.#material?.stamp) this.#material = await readMaterial(this.#files);
    } catch (thrown) {
      if (this.#material === undefined) throw readError(this.#files, thrown);
    }
  }
}

function given(path: string | undefined): boolean {
  return path !== undefined && path !== '';
}

function pathsOf(files: TlsFiles): string[] {
  return [files.certFile, files.keyFile, files.caFile].filter(
    (path): path is string => path !== undefined && path !== '',
  );
}

function stampOf(stats: readonly Stats[]): string {
  return stats.map((s) => `${s.ino} ${s.mtimeMs} ${s.size}`).join(',');
}

async function readMaterial(files: TlsFiles): Promise<Material> {
  const paths = pathsOf(files);
  try {
    // The stamp is taken first: a file that changes in between is read again at the next look.
    const stamp = stampOf(await Promise.all(paths.map((path) => stat(path))));
    const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
    return checkMaterial(files, stamp, texts);
  } catch (thrown) {
    throw readError(files, thrown);
  }
}

/** `texts` in the order of {@link pathsOf}. @throws CodedError bad_data for what cannot be used. */
function checkMaterial(files: TlsFiles, stamp: string, texts: readonly string[]): Material {
  const context: SecureContextOptions = {};
  const rest = [...texts];
  if (given(files.certFile)) {
    context.cert = rest.shift() ?? '';
    context.key = rest.shift() ?? '';
    checkPair(files, context);
  }
  const [ca] = rest;
  if (ca !== undefined) {
    checkAuthorities(files.caFile ?? '', ca);
    context.ca = ca;
  }
  return { stamp, context };
}

function checkPair(files: TlsFiles, context: SecureContextOptions): void {
  try {
    createSecureContext(context);
  } catch (thrown) {
    const [cert, key] = [JSON.stringify(files.certFile), JSON.stringify(files.keyFile)];
    const message = `TLS certificate ${cert} with key ${key}: ${errorText(thrown)}`;
    throw new CodedError('bad_data', message, { cause: thrown });
  }
}

function checkAuthorities(path: string, text: string): void {
  const blocks = text.split('-----BEGIN CERTIFICATE-----').slice(1);
  try {
    if (blocks.length === 0) throw new Error('no PEM block of a certificate');
    for (const block of blocks) void new X509Certificate(`-----BEGIN CERTIFICATE-----${block}`);
  } catch (thrown) {
    const message = `TLS authorities ${JSON.stringify(path)}: ${errorText(thrown)}`;
    throw new CodedError('bad_data', message, { cause: thrown });
  }
}

/** The error of the file system names the file already. */
function readError(files: TlsFiles, thrown: unknown): CodedError {
  if (thrown instanceof CodedError) return thrown;
  const message = `read TLS files ${pathsOf(files).join(', ')}: ${errorText(thrown)}`;
  return new CodedError('bad_data', message, { cause: thrown });
}

let authorities: string[] | undefined;

/** The machine's authorities as Go's SystemCertPool has them; Node's own where the machine has none. */
function systemAuthorities(): string[] {
  authorities ??= getCACertificates('system');
  if (authorities.length === 0) authorities = getCACertificates('default');
  return authorities;
}
