/**
 * Thrown if the embedded database cannot be used on this machine or in this state. The message is a sentence for the
 * operator.
 */
export class EmbeddedServerError extends Error {
  override readonly name = 'EmbeddedServerError';
}
