import { Injectable } from '@nestjs/common';
import type { Actor } from '../../common/actor.js';
import { NotFoundError } from '../../common/errors.js';
import { ModelCatalog } from '../../llm/index.js';
import { AuditService } from '../audit/index.js';
import { ProviderKeyRepository, type ProviderKeyEntry } from './provider-key.repository.js';
import { StoredCredentials } from './stored-credentials.js';

/**
 * Number of characters of a key that its owner can see, and the minimum length of a key for which they reveal
 * little.
 */
const HINT = { length: 4, minKeyLength: 16 } as const;

/** The demo calls no host that would need a key. */
const KEYLESS_PROVIDER = 'demo';

/** Manages users' own keys for model providers. */
@Injectable()
export class ProviderKeyService {
  constructor(
    private readonly keys: ProviderKeyRepository,
    private readonly credentials: StoredCredentials,
    private readonly models: ModelCatalog,
    private readonly audit: AuditService,
  ) {}

  /**
   * Stores a key, replacing an existing one.
   * @throws NotFoundError if the server has no such provider
   */
  async set(actor: Actor, userId: string, provider: string, key: string): Promise<ProviderKeyEntry> {
    const providers = this.models.providerIds().filter((id) => id !== KEYLESS_PROVIDER);
    if (!providers.includes(provider)) throw new NotFoundError('provider', provider);
    const ciphertext = this.credentials.encrypt(key, userId, provider);
    const hint = key.length < HINT.minKeyLength ? '' : key.slice(-HINT.length);
    const stored = await this.keys.storeKey({ userId, provider, ciphertext, hint });
    this.credentials.forget(userId, provider);
    await this.audit.record('provider_key.set', { actor, userId, subject: provider });
    return stored;
  }

  listProviderKeys(userId: string): Promise<ProviderKeyEntry[]> {
    return this.keys.listProviderKeys(userId);
  }

  /** @throws NotFoundError */
  async getProviderKey(userId: string, provider: string): Promise<ProviderKeyEntry> {
    const key = await this.keys.findProviderKey(userId, provider);
    if (key === null) throw new NotFoundError('key for the provider', provider);
    return key;
  }

  /** @throws NotFoundError */
  async delete(actor: Actor, userId: string, provider: string): Promise<void> {
    if (!(await this.keys.delete(userId, provider)))
      throw new NotFoundError('key for the provider', provider);
    this.credentials.forget(userId, provider);
    await this.audit.record('provider_key.deleted', { actor, userId, subject: provider });
  }
}
