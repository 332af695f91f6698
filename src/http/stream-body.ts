/** Writes bodies whose length is not known when they begin. */
import { once } from 'node:events';
import type { FastifyReply } from 'fastify';

/**
 * Writes pieces to a reply that is out of fastify's hands and whose headers are sent, as fast as the client reads.
 * Answers whether it is still there.
 */
export async function writePieces(
  reply: FastifyReply,
  pieces: Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<boolean> {
  const { raw } = reply;
  try {
    for (const piece of pieces) {
      if (signal.aborted || raw.destroyed) return false;
      reply.sentBytes += piece.length;
      if (!raw.write(piece)) await once(raw, 'drain', { signal });
    }
    return true;
  } catch (thrown) {
    // Whoever went away reads no answer, and his going is no failure.
    if (signal.aborted) return false;
    throw thrown;
  }
}
