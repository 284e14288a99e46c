import type { ProviderKeyBody, ProviderKeyListBody } from './provider-key.dto.js';
import type { ShownProviderKey } from './provider-key.repository.js';

/** A key as its owner sees it. */
export function toProviderKeyBody(key: ShownProviderKey): ProviderKeyBody {
  const { provider, hint, createdAt, updatedAt } = key;
  return { provider, hint, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}

/** All keys of an owner. */
export function toProviderKeyListBody(keys: readonly ShownProviderKey[]): ProviderKeyListBody {
  return { object: 'list', data: keys.map(toProviderKeyBody) };
}
