import { Injectable, Logger } from '@nestjs/common';
import { ACCESS_CHANNEL, serializeAccessChange } from '../../common/access-change.js';
import type { Actor } from '../../common/actor.js';
import { AppError, InvalidRequestError, NotFoundError } from '../../common/errors.js';
import { Clock } from '../../common/clock.js';
import { newId } from '../../common/ids.js';
import { Broadcast } from '../../infra/redis/index.js';
import { AuditService } from '../audit/index.js';
import { hashApiKey, isWellFormedApiKey, looksLikeApiKey, newApiKey, visiblePrefix } from './api-key.js';
import { ApiKeyRepository, type StoredApiKey } from './api-key.repository.js';

/** Properties of an API key to be created. */
export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
}

/** The account of a key, and its permissions. */
export interface KeyHolder {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly role: 'user' | 'admin';
  readonly scopes: readonly string[];
  /** Generation of the account's cached answers. */
  readonly cacheGeneration: number;
}

/** Manages API keys, which authenticate programs. */
@Injectable()
export class ApiKeyService {
  private readonly logger = new Logger(ApiKeyService.name);

  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly audit: AuditService,
    private readonly broadcast: Broadcast,
    private readonly clock: Clock,
  ) {}

  /**
   * Creates a key. Its secret can be read only this once.
   * @throws InvalidRequestError if it would already be expired
   */
  async create(
    actor: Actor,
    userId: string,
    wanted: NewApiKey,
  ): Promise<{ readonly key: string; readonly stored: StoredApiKey }> {
    const { name, expiresAt } = wanted;
    if (expiresAt !== null && expiresAt.getTime() <= this.clock.now()) {
      const message = 'expires_at must be in the future';
      throw new InvalidRequestError(`${message}.`, [{ field: 'expires_at', message }]);
    }
    const key = newApiKey();
    const scopes = [...new Set(wanted.scopes)];
    const row = {
      id: newId(),
      userId,
      name,
      prefix: visiblePrefix(key),
      hash: hashApiKey(key),
      scopes,
      expiresAt,
    };
    const stored = await this.keys.insert(row);
    await this.audit.record('api_key.created', { actor, userId, subject: stored.id, detail: { scopes } });
    return { key, stored };
  }

  /** Lists keys, newest first, without revoked ones. */
  listApiKeys(
    userId: string,
    slice: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredApiKey[]> {
    return this.keys.listApiKeys(userId, slice);
  }

  /**
   * Revokes a key: requests with it are rejected, and its running operations stop.
   * @throws NotFoundError
   */
  async revoke(actor: Actor, userId: string, apiKeyId: string): Promise<void> {
    if (!(await this.keys.revoke(userId, apiKeyId))) throw new NotFoundError('API key', apiKeyId);
    await this.broadcast.publish(ACCESS_CHANNEL, serializeAccessChange({ kind: 'revoked', apiKeyId }));
    await this.audit.record('api_key.revoked', { actor, userId, subject: apiKeyId });
  }

  /** Returns true if a credential has the form of an API key. */
  looksLikeKey(credential: string): boolean {
    return looksLikeApiKey(credential);
  }

  /**
   * Returns the holder of a key.
   * @throws AppError `invalid_api_key`; without a database query if the key is malformed
   * @throws AppError `unauthorized` if its account is disabled
   */
  async verify(key: string): Promise<KeyHolder> {
    if (!isWellFormedApiKey(key)) throw refused('The API key is malformed. Check it for typing mistakes.');
    const found = await this.keys.findPresentedKey(hashApiKey(key));
    if (found === undefined) throw refused('The API key does not exist.');
    if (found.revoked) throw refused('The API key was revoked. Create a new one.');
    if (found.expired) throw refused('The API key has expired. Create a new one.');
    if (found.disabled)
      throw new AppError('unauthorized', 'The account is disabled. Contact an admin of this server.');
    const { id: apiKeyId, userId, role, scopes, cacheGeneration } = found;
    // Not awaited: the request does not depend on recording the key's last use.
    this.keys.recordUse(userId, apiKeyId).catch((error: unknown) => {
      this.logger.warn(
        { err: error },
        'could not record the last use of an API key; its next use will try again',
      );
    });
    return { apiKeyId, userId, role, scopes, cacheGeneration };
  }
}

function refused(message: string): AppError {
  return new AppError('invalid_api_key', message);
}
