/**
 * The life of a process: actors start in order, run until a signal or the first failure, and stop in reverse order.
 *
 * ```
 * start a, b, c ──► running ──SIGTERM | SIGINT | failure──► stop c, b, a ──► ended
 *                                                └─ second signal ──► ended at once (forced)
 * ```
 */
import { errorText } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';

/** A part of the process with a life of its own: a server, a loop, a database. */
export interface Actor {
  readonly name: string;
  /**
   * Resolves when the actor works. `fail` is for what breaks later; its first call stops the group.
   * A rejection stops the actors started so far, not this one: it cleans up after itself.
   */
  start(fail: (error: unknown) => void): Promise<void> | void;
  /** Resolves when the actor has ended. Called once, and only after `start` has resolved. */
  stop(): Promise<void> | void;
}

/** How a group ended. */
export interface RunOutcome {
  /** The signal that ended it, when one did. */
  readonly signal?: NodeJS.Signals;
  /** What failed first: a start, a running actor or a stop. */
  readonly error?: unknown;
  /** A second signal came before every actor had stopped: the process should exit now. */
  readonly forced: boolean;
}

/** Where signals come from; `process` is one. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  removeListener(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

/** Runs actors until a signal or a failure, and resolves when all have stopped. Never rejects, never exits. */
export async function runGroup(
  actors: readonly Actor[],
  log: Logger,
  signals: SignalSource = process,
): Promise<RunOutcome> {
  const end = Promise.withResolvers<{ signal?: NodeJS.Signals; error?: unknown }>();
  const forced = Promise.withResolvers<'forced'>();
  let seen = 0;
  let ending = false;
  void end.promise.then(() => (ending = true));
  const onSignal = (signal: NodeJS.Signals) => {
    seen++;
    if (seen === 1 && !ending) {
      log.info('caught signal. Exiting.', { signal });
      end.resolve({ signal });
      return;
    }
    log.warn('caught another signal while stopping. Exiting at once.', { signal });
    forced.resolve('forced');
  };
  for (const signal of SIGNALS) signals.on(signal, onSignal);
  try {
    const work = runActors(actors, log, end);
    const outcome = await Promise.race([work, forced.promise]);
    if (outcome !== 'forced') return { ...outcome, forced: false };
    return { ...(await end.promise), forced: true };
  } finally {
    for (const signal of SIGNALS) signals.removeListener(signal, onSignal);
  }
}

interface End {
  readonly signal?: NodeJS.Signals;
  readonly error?: unknown;
}

async function runActors(
  actors: readonly Actor[],
  log: Logger,
  end: PromiseWithResolvers<End>,
): Promise<End> {
  const started: Actor[] = [];
  let over = false;
  void end.promise.then(() => (over = true));
  for (const actor of actors) {
    // A signal or a failure during start-up ends the group before the next actor starts.
    await Promise.resolve();
    if (over) break;
    try {
      await actor.start((error) => {
        if (!over)
          log.error('running component failed', { name: actor.name, err: errorText(error) });
        end.resolve({ error });
      });
      started.push(actor);
    } catch (thrown) {
      end.resolve({ error: thrown });
      break;
    }
  }
  let outcome = await end.promise;
  for (const actor of started.toReversed()) {
    try {
      await actor.stop();
    } catch (thrown) {
      log.error('stopping component failed', { name: actor.name, err: errorText(thrown) });
      if (outcome.error === undefined) outcome = { ...outcome, error: thrown };
    }
  }
  return outcome;
}
