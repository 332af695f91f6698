/**
 * Basic authentication against bcrypt hashes. Behaviour: prometheus/exporter-toolkit web/handler.go: each user and
 * password is checked once and then remembered, checks run one at a time, and a user that does not exist takes as long
 * as one that does.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { CodedError } from '../lib/errors.ts';

/** Whether a password has a bcrypt hash; a worker may compute it, since it takes some 50 ms by design. */
export type PasswordCheck = (password: string, hash: string) => Promise<boolean>;

/** Checks on this thread, which is kept busy meanwhile. False for what is no hash. */
export const checkPassword: PasswordCheck = async (password, hash) => {
  const { compare } = await import('bcryptjs');
  return HASH.test(hash) ? compare(password, hash) : false;
};

/** limit: remembered verdicts of either kind; each is 32 bytes. */
const VERDICTS_MAX = 100;

/** limit: checks that wait for their turn; further ones are told to come back. */
const WAITING_MAX = 50;

/** Version, cost, 22 characters of salt and 31 of hash. */
const HASH = /^\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;

/** What a request's header says. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Checks logins and remembers the verdicts. */
export class BasicAuth {
  readonly #check: PasswordCheck;
  /** Verdicts are found by a hash under this key, so that no password stays in memory. */
  readonly #key = randomBytes(32);
  readonly #good = new Set<string>();
  readonly #bad = new Set<string>();
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(check: PasswordCheck = checkPassword) {
    this.#check = check;
  }

  /**
   * Whether the user has that password.
   * @throws CodedError unavailable when too many are waiting for an answer.
   */
  async allows(users: ReadonlyMap<string, string>, login: Login): Promise<boolean> {
    const known = users.get(login.user);
    const hash = known ?? decoyOf(users);
    const id = this.#idOf(login, hash, known !== undefined);
    if (this.#good.has(id)) return true;
    if (this.#bad.has(id)) return false;
    if (this.#waiting >= WAITING_MAX) {
      const message = `${WAITING_MAX} logins are waiting to be checked, try again later`;
      throw new CodedError('unavailable', message);
    }
    this.#waiting++;
    const checked = this.#turn.then(() => this.#check(login.password, hash));
    this.#turn = checked.catch(() => undefined);
    try {
      const good = (await checked) && known !== undefined;
      remember(good ? this.#good : this.#bad, id);
      return good;
    } finally {
      this.#waiting--;
    }
  }

  #idOf({ user, password }: Login, hash: string, known: boolean): string {
    const text = JSON.stringify([user, password, hash, known]);
    return createHmac('sha256', this.#key).update(text).digest('base64');
  }
}

function remember(verdicts: Set<string>, id: string): void {
  const [oldest] = verdicts;
  if (verdicts.size >= VERDICTS_MAX && oldest !== undefined) verdicts.delete(oldest);
  verdicts.add(id);
}

/** What a user that does not exist is checked against: of the same cost as the first one that does. */
function decoyOf(users: ReadonlyMap<string, string>): string {
  const [first = ''] = users.values();
  const cost = HASH.test(first) ? first.slice(4, 6) : '10';
  return `$2b$${cost}$abcdefghijklmnopqrstuu${'Y'.repeat(31)}`;
}

/** @throws CodedError bad_data that names the first user whose hash is none. */
export function checkHashes(users: ReadonlyMap<string, string>, name: string): void {
  for (const [user, hash] of users) {
    if (HASH.test(hash)) continue;
    const expected = 'expected one such as htpasswd -nBC 10 prints, which begins with $2y$10$';
    const message = `${name}: basic_auth_users.${user}: not a bcrypt hash, ${expected}`;
    throw new CodedError('bad_data', message);
  }
}

/** The login of an Authorization header; undefined when there is none. */
export function parseLogin(header: string | undefined): Login | undefined {
  const encoded = /^basic ([A-Za-z0-9+/]*={0,2})$/i.exec(header ?? '')?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
