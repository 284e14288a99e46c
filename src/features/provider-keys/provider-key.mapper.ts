import type { ProviderKeyBody, ProviderKeyListBody } from './provider-key.dto.js';
import type { ProviderKeyEntry } from './provider-key.repository.js';

/** Converts a key to its API representation. */
export function toProviderKeyBody(key: ProviderKeyEntry): ProviderKeyBody {
  const { provider, hint, createdAt, updatedAt } = key;
  return { provider, hint, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}

/** Converts all keys of an account to their API representation. */
export function toProviderKeyListBody(keys: readonly ProviderKeyEntry[]): ProviderKeyListBody {
  return { object: 'list', data: keys.map(toProviderKeyBody) };
}
