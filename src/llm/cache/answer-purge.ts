import type { AnswerCache } from './answer-cache.js';

/** What an account that is deleted leaves in the cache of answers. */
export class AnswerPurge {
  constructor(private readonly cache: AnswerCache) {}

  /** Removes the answers of the account. */
  purge(userId: string): Promise<void> {
    return this.cache.removeAllOf(userId);
  }
}
