import { createHmac, randomBytes } from 'node:crypto';

/** Prefix of secrets, as Standard Webhooks defines it. */
const SECRET_PREFIX = 'whsec_';

/** Number of random bytes of a secret. */
const SECRET_BYTES = 32;

/** A message to be signed. */
export interface SignableMessage {
  readonly id: string;
  /** Time of the attempt, in seconds since 1970. */
  readonly timestamp: number;
  /** The bytes that are sent. */
  readonly body: Uint8Array;
}

/** Generates a secret: `whsec_` and 256 random bits in base64. */
export function newWebhookSecret(): string {
  return SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

/**
 * Returns the headers of Standard Webhooks for a message.
 * @param secrets secrets that sign it, each with a signature of its own
 */
export function signWebhookMessage(
  { id, timestamp, body }: SignableMessage,
  secrets: readonly string[],
): Readonly<Record<string, string>> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
    const signature = createHmac('sha256', key)
      .update(`${id}.${String(timestamp)}.`)
      .update(body);
    return `v1,${signature.digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
