import type { FileBody } from './file.dto.js';
import type { StoredFile } from './file.repository.js';

/** Converts a file to its API representation. */
export function toFileBody({ id, name, mediaType, size, createdAt }: StoredFile): FileBody {
  return { id, name, media_type: mediaType, size, created_at: createdAt.toISOString() };
}
