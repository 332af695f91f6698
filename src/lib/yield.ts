/** Giving way to the event loop, so that long synchronous work lets sockets and abort signals in. */

/** Resolves after pending I/O and timers had their turn. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
