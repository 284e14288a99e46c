import type { Response } from 'express';

/**
 * Answers with JSON that is text already. Without the entity tag that Express makes of every body: it hashes all of it,
 * and nobody asks for an answer of a model again by its tag. Head and text go out in one write.
 */
export function sendJsonText(response: Response, text: string): void {
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(text);
}
