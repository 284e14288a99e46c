import { EXTRACTION_FAILURE_MESSAGES, type StoredFile } from '../../features/files/index.js';
import { toPage } from '../../http/index.js';
import { toOpenAiFileId } from './file-id.js';
import type { OpenAiFileBody, OpenAiFileListBody } from './files.dto.js';

/** Converts a file to OpenAI's format. */
export function toOpenAiFile(file: StoredFile): OpenAiFileBody {
  const { id, size, name, purpose, createdAt, expiresAt } = file;
  return {
    id: toOpenAiFileId(id),
    object: 'file',
    bytes: size,
    created_at: toSeconds(createdAt),
    ...(expiresAt !== null && { expires_at: toSeconds(expiresAt) }),
    filename: name,
    purpose,
    ...toStatus(file),
  };
}

/** Converts a list of files to OpenAI's format. It has one file more than requested if there is another page. */
export function toOpenAiFileList(files: readonly StoredFile[], limit: number): OpenAiFileListBody {
  return toPage(
    files.map((file) => ({ ...file, id: toOpenAiFileId(file.id), openAi: toOpenAiFile(file) })),
    limit,
    ({ openAi }) => openAi,
  );
}

/** A file without text, such as an image, is processed: there is nothing to wait for. */
function toStatus({ text }: StoredFile): Pick<OpenAiFileBody, 'status' | 'status_details'> {
  if (text.status !== 'failed') return { status: text.status === 'pending' ? 'uploaded' : 'processed' };
  if (text.error === 'unsupported_type') return { status: 'processed' };
  return { status: 'error', status_details: EXTRACTION_FAILURE_MESSAGES[text.error] };
}

const toSeconds = (time: Date): number => Math.floor(time.getTime() / 1000);
