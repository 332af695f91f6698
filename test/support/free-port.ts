/** Ports of the loopback interface for servers of tests whose address must be known before they start. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Where {@link freePort} looks: below the ports that the system gives to outgoing connections and to listeners on port 0. */
const [FIRST_PORT, LAST_PORT] = [15_000, 32_000];
const given = new Set<number>();

/** A port of the loopback interface that nobody listened on a moment ago; another one at every call of this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (given.has(port)) continue;
    given.add(port);
    if (await canListen(port)) return port;
  }
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer();
  const listening = new Promise<boolean>((resolve) => {
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  const free = await listening;
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
