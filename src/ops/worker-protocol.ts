/** What the compute pool and its workers say to each other. */
import type { Transferable } from 'node:worker_threads';
import { CodedError, errorCode, errorText } from '../lib/errors.ts';
import type { ErrorCode } from '../lib/errors.ts';
import type { LogLevel, LogValue } from '../lib/log.ts';

/** Pool to worker: run a task. `slot` is the task's word in the cancel flags. */
export interface RunMessage {
  readonly kind: 'run';
  readonly id: number;
  readonly task: string;
  readonly payload: unknown;
  readonly slot: number;
}

/** Worker to pool. */
export type WorkerMessage =
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly error: WireError }
  | {
      readonly kind: 'log';
      readonly level: LogLevel;
      readonly msg: string;
      readonly fields: Record<string, LogValue>;
    }
  | AskMessage;

/** A task asks for a task of another worker; the answer comes as an `answer`. */
export interface AskMessage {
  readonly kind: 'ask';
  readonly id: number;
  readonly task: string;
  readonly payload: unknown;
  readonly slot: number;
  /** Whether it is to run on another worker than the asker. */
  readonly elsewhere: boolean;
}

/** Pool to worker: the outcome of an `ask`. */
export type AnswerMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly error: WireError };

/** The words that a worker shares with its pool: its shield (lib/shield.ts), and the slot of the task it is at. */
export const CONTROL = { shield: 0, atWork: 1 } as const;

/** Bytes of those words. */
export const CONTROL_BYTES = 8;

/** What every worker is started with. */
export interface WorkerInit {
  /** Which of the pool's workers it is; dedicated ones have names. */
  readonly name: string;
  /** One word a task slot; 1 means cancelled. */
  readonly cancelFlags: SharedArrayBuffer;
  /** The words of {@link CONTROL}, this worker's own. */
  readonly control: SharedArrayBuffer;
  /** What the tasks need: shared memories, paths. */
  readonly data: unknown;
}

/** An error as plain data. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Any thrown value as plain data. */
export function toWireError(thrown: unknown): WireError {
  return { code: errorCode(thrown), message: errorText(thrown) };
}

/** The error of plain data. */
export function fromWireError(error: WireError): CodedError {
  return new CodedError(error.code, error.message);
}

/** A task's result together with the buffers that move with it instead of being copied. */
export class Transfer {
  readonly value: unknown;
  readonly list: readonly Transferable[];

  constructor(value: unknown, list: readonly Transferable[]) {
    this.value = value;
    this.list = list;
  }
}

/** What can be posted to: a worker or a port. */
export interface PostTarget {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
}

/** Posts a value, moving what a {@link Transfer} says. */
export function post(port: PostTarget, message: unknown, value: unknown): void {
  port.postMessage(message, value instanceof Transfer ? [...value.list] : []);
}
