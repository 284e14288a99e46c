import { EXTRACTION_FAILURE_MESSAGES } from './extraction/failure-messages.js';
import type { FileBody } from './file.dto.js';
import type { StoredFile } from './stored-file.js';

/** Converts a file to its API representation. */
export function toFileBody(file: StoredFile): FileBody {
  const { id, name, mediaType, size, purpose, text, expiresAt, createdAt } = file;
  return {
    id,
    name,
    media_type: mediaType,
    size,
    purpose,
    text_status: text.status,
    text_error:
      text.status === 'failed'
        ? { code: text.error, message: EXTRACTION_FAILURE_MESSAGES[text.error] }
        : null,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
  };
}
