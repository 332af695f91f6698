/** The log interface that every level may use; the implementations are in ops/log.ts. */

/** Severity in Thanos' order, least severe first. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One value of a structured log line. */
export type LogValue = string | number | boolean | null | undefined | Error;

/** A structured logger: a message and key/value fields, as go-kit writes them. */
export interface Logger {
  debug(msg: string, fields?: Record<string, LogValue>): void;
  info(msg: string, fields?: Record<string, LogValue>): void;
  warn(msg: string, fields?: Record<string, LogValue>): void;
  error(msg: string, fields?: Record<string, LogValue>): void;
  /** A logger that adds these fields to each line. */
  with(fields: Record<string, LogValue>): Logger;
}

/** A logger that drops everything: the default of tests and libraries. */
export const nopLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => nopLogger,
};
