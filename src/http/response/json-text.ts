import type { Response } from 'express';

/**
 * Sends a response that is JSON text already. Skips the ETag that Express computes for every body: it hashes all of
 * it, and nobody revalidates a model's response. Headers and text are sent in one write.
 */
export function sendJsonText(response: Response, text: string): void {
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(text);
}
