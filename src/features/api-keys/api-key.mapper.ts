import type { ApiKeyBody, CreateApiKeyBody, NewApiKeyBody } from './api-key.dto.js';
import type { StoredApiKey } from './api-key.repository.js';
import type { NewApiKey } from './api-key.service.js';

/** Converts a request to the properties of a new key. */
export function toNewApiKey(body: CreateApiKeyBody): NewApiKey {
  const { name, scopes = ['chat'], expires_at } = body;
  return { name, scopes, expiresAt: typeof expires_at === 'string' ? new Date(expires_at) : null };
}

/** Converts a key to its API representation. */
export function toApiKeyBody(key: StoredApiKey): ApiKeyBody {
  return shown(key);
}

/** Converts a new key, including its secret, to its API representation. */
export function toNewApiKeyBody({ key, stored }: { key: string; stored: StoredApiKey }): NewApiKeyBody {
  return { ...shown(stored), key };
}

function shown({ id, name, prefix, scopes, expiresAt, lastUsedAt, createdAt }: StoredApiKey) {
  return {
    id,
    name,
    prefix,
    scopes,
    expires_at: expiresAt?.toISOString() ?? null,
    last_used_at: lastUsedAt?.toISOString() ?? null,
    created_at: createdAt.toISOString(),
  };
}
