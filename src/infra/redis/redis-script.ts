import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script. Its source is sent only to a Redis that has not loaded it yet. */
export class RedisScript {
  private readonly hash: string;

  constructor(private readonly source: string) {
    this.hash = createHash('sha1').update(source).digest('hex');
  }

  /**
   * Runs the script.
   * @throws any error of the connection while Redis is unavailable, and errors of the script
   */
  async run(client: Redis, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    try {
      return await client.evalsha(this.hash, keys.length, ...keys, ...values);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.eval(this.source, keys.length, ...keys, ...values);
    }
  }
}
