/** What a command answers, on stdout: waits until it has been taken, so that nothing is lost when the process ends. */
import { CodedError } from '../lib/errors.ts';

/** Who reads stdout has gone away, as `head` does when it has enough: no error to tell anybody about. */
export class OutputClosedError extends CodedError {
  constructor(options: { cause: unknown }) {
    super('canceled', 'the reader of stdout has gone away', options);
    this.name = 'OutputClosedError';
  }
}

/**
 * Writes text to stdout; resolves when the system has it.
 * @throws OutputClosedError when nobody reads it, CodedError unavailable when it cannot be written (a full disk).
 */
export function writeStdout(text: string): Promise<void> {
  const { stdout } = process;
  return new Promise((resolve, reject) => {
    // The stream reports errors as an event, too, some time after the callback; one that nobody hears ends the process.
    if (!stdout.listeners('error').includes(ignore)) stdout.on('error', ignore);
    stdout.write(text, (error) => {
      if (error === null || error === undefined) resolve();
      else if ('code' in error && error.code === 'EPIPE') {
        reject(new OutputClosedError({ cause: error }));
      } else {
        reject(
          new CodedError('unavailable', `write to stdout: ${error.message}`, { cause: error }),
        );
      }
    });
  });
}

function ignore(): void {
  // The callback of the write has told it.
}
