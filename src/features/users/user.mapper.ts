import type { UserBody } from './user.dto.js';
import type { StoredUser } from './user.repository.js';

/** An account as its owner sees it. */
export function toUserBody(user: StoredUser): UserBody {
  return { id: user.id, email: user.email, created_at: user.createdAt.toISOString() };
}
