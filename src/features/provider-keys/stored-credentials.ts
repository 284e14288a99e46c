import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { SecretCipher, UnreadableSecretError } from '../../common/secret-cipher.js';
import { encryptionConfig } from '../../config/index.js';
import { CredentialSource } from '../../llm/index.js';
import { ProviderKeyRepository } from './provider-key.repository.js';

/** Time for which a key is cached, in milliseconds; a key changed by another process is used for that long. */
const TTL_MS = 5_000;

/** Maximum number of cache entries; most record that there is no key. */
const CAPACITY = 10_000;

/** Cached result of a read; the secret is undefined if the user has no key. */
interface Entry {
  readonly secret: string | undefined;
}

interface KeyOwner {
  readonly userId: string;
  readonly provider: string;
}

/** Provides users' own keys to the model layer. */
@Injectable()
export class StoredCredentials extends CredentialSource {
  private readonly logger = new Logger(StoredCredentials.name);
  private readonly cipher: SecretCipher;
  private readonly entries: LRUCache<string, Entry, KeyOwner>;

  constructor(
    private readonly keys: ProviderKeyRepository,
    clock: Clock,
    @Inject(encryptionConfig.KEY) config: ConfigType<typeof encryptionConfig>,
  ) {
    super();
    this.cipher = new SecretCipher({ ...config, purpose: 'provider keys' });
    this.entries = new LRUCache({
      max: CAPACITY,
      ttl: TTL_MS,
      perf: { now: () => clock.now() },
      ttlResolution: 0,
      // Callers that wait for an entry which is evicted or forgotten meanwhile still get it; it is not cached.
      ignoreFetchAbort: true,
      fetchMethod: async (_name, _stale, { context: { userId, provider } }) => ({
        secret: await this.read(userId, provider),
      }),
    });
  }

  /** Encrypts a key for storage. */
  encrypt(secret: string, userId: string, provider: string): Uint8Array<ArrayBuffer> {
    return this.cipher.encrypt(secret, { userId, subject: provider });
  }

  /** Drops a cached key, so that the next call reads it again. */
  forget(userId: string, provider: string): void {
    this.entries.delete(nameOf(userId, provider));
  }

  override async credentialFor(userId: string, provider: string): Promise<string | undefined> {
    const { secret } = await this.entries.forceFetch(nameOf(userId, provider), {
      context: { userId, provider },
    });
    return secret;
  }

  private async read(userId: string, provider: string): Promise<string | undefined> {
    const from = await this.keys.findCiphertext(userId, provider);
    if (from === undefined) return undefined;
    const { secret, outdated } = this.decrypt(from, userId, provider);
    if (outdated) {
      const to = this.encrypt(secret, userId, provider);
      // Not awaited: the next read retries.
      this.keys.replaceCiphertext(userId, provider, { from, to }).catch((error: unknown) => {
        this.logger.warn({ err: error }, 'could not re-encrypt a provider key; the next read will try again');
      });
    }
    return secret;
  }

  private decrypt(ciphertext: Uint8Array, userId: string, provider: string) {
    try {
      return this.cipher.decrypt(ciphertext, { userId, subject: provider });
    } catch (error) {
      if (!(error instanceof UnreadableSecretError)) throw error;
      this.logger.warn({ user: userId, provider }, error.message);
      // Do not fall back to the server's key silently: the user would not know who pays.
      throw new AppError(
        'provider_unavailable',
        `Your stored key for '${provider}' can no longer be decrypted. Store it again with PUT /api/v1/provider-keys/${provider}, or delete it.`,
        { retryable: false, cause: error },
      );
    }
  }
}

function nameOf(userId: string, provider: string): string {
  return `${userId} ${provider}`;
}
