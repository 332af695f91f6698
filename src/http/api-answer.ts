/** Answers of endpoints whose data is made on the main thread. */
import type { QueryAnswer } from './query-service.ts';

/** An answer without data, which is sent as 204 without a body. */
export const NO_CONTENT: QueryAnswer = { data: [], warnings: [], infos: [] };

/** An answer whose data is JSON text. */
export function jsonAnswer(text: string): QueryAnswer {
  return { data: [Buffer.from(text)], warnings: [], infos: [] };
}
