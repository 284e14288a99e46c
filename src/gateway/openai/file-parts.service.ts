import { Injectable } from '@nestjs/common';
import type { ByteLease } from '../../common/byte-limiter.js';
import { InvalidRequestError, NotFoundError } from '../../common/errors.js';
import {
  AttachmentLoader,
  AttachmentService,
  maxInputTokens,
  toOmittedFilePart,
} from '../../features/chat/index.js';
import { FileService, type StoredFile } from '../../features/files/index.js';
import { type ChatMessage, type ChatRequest, ModelCatalog } from '../../llm/index.js';
import { estimateInputTokens } from './estimate-input-tokens.js';
import { parseFileId } from './file-id.js';

/** Maximum number of different files in a request, as in a message of a conversation. */
const MAX_FILES = 10;

type UserMessage = Extract<ChatMessage, { role: 'user' }>;
type ContentPart = Exclude<UserMessage['content'], string>[number];

/** Replaces the ids of uploaded files in the messages of a request by the files. */
@Injectable()
export class FilePartsService {
  constructor(
    private readonly files: FileService,
    private readonly attachments: AttachmentService,
    private readonly loader: AttachmentLoader,
    private readonly models: ModelCatalog,
  ) {}

  /**
   * Returns the messages with the content of the files whose ids they have, as the model can read it. Other parts stay
   * as they are.
   * @param options.otherTokens tokens of the window that the text of documents leaves to what is added later
   * @param options.memory reserved for the bytes of the files before they are read; the caller releases it once the model has
   *   them
   * @throws NotFoundError if a file does not exist or belongs to someone else
   * @throws InvalidRequestError if the files are too large in total, or one cannot be sent to a model
   * @throws AppError if a document has no text, or not yet
   * @throws ServerBusyError if other requests occupy the memory, or the signal's reason when it aborts
   */
  async resolveFileIds(
    userId: string,
    body: ChatRequest & { readonly model?: string },
    {
      memory,
      signal,
      otherTokens = 0,
    }: { readonly memory: ByteLease; readonly signal: AbortSignal; readonly otherTokens?: number },
  ): Promise<ChatMessage[]> {
    const { messages } = body;
    const ids = new Set(messages.flatMap(fileIdsOf).map(parseFileId));
    if (ids.size === 0) return [...messages];
    if (ids.size > MAX_FILES) throw tooManyFiles();
    const files = await this.findFiles(userId, [...ids]);
    const model = await this.models.canonicalName(body.model);
    const answer = { userId, model, parameters: body };
    const resolved = await this.attachments.resolveFiles(answer, files, 'messages', signal);
    await memory.acquire(resolved.mediaBytes, signal);
    const { tokens: windowTokens } = await this.models.contextWindow(model);
    const used = resolved.tokens + estimateInputTokens(body);
    const room = maxInputTokens(windowTokens, windowTokens, body) - used - otherTokens;
    const loading = this.loader.beginLoading(userId, Math.max(0, room));
    const parts = new Map<string, ContentPart>();
    for (const loadable of resolved.files) parts.set(loadable.file.id, await loading.loadPart(loadable));
    const names = new Map(files.map(({ id, name }) => [id, name]));
    return messages.map((message) => withParts(message, parts, names));
  }

  /** Returns the files of these ids, in the same order. */
  private async findFiles(userId: string, ids: readonly string[]): Promise<StoredFile[]> {
    const found = await this.files.getAll(userId, ids);
    return ids.map((id) => {
      const file = found.find((one) => one.id === id);
      if (file === undefined) throw new NotFoundError('file', id);
      return file;
    });
  }
}

/** Returns the ids of uploaded files in a message, as the client sent them. */
export function fileIdsOf({ role, content }: ChatMessage): string[] {
  // The model layer decides whether messages have their required fields, and only for models that need it.
  if (role !== 'user' || !Array.isArray(content)) return [];
  return content.flatMap((part) => fileIdOf(part) ?? []);
}

function fileIdOf(part: ContentPart): string | undefined {
  return part.type === 'file' ? part.file.file_id : undefined;
}

/**
 * Replaces the ids in a message by the files. Each file is sent once: a request that repeats an id must not grow by the
 * size of its file.
 * @param parts the files that have not been sent yet, by id
 */
function withParts(
  message: ChatMessage,
  parts: Map<string, ContentPart>,
  names: ReadonlyMap<string, string>,
): ChatMessage {
  if (message.role !== 'user' || !Array.isArray(message.content)) return message;
  const content = message.content.map((part) => {
    const given = fileIdOf(part);
    if (given === undefined) return part;
    const id = parseFileId(given);
    const file = parts.get(id) ?? toOmittedFilePart(names.get(id) ?? '', 'is attached above.');
    parts.delete(id);
    return file;
  });
  return { ...message, content };
}

function tooManyFiles(): InvalidRequestError {
  const message = `messages must not have more than ${MAX_FILES} different files`;
  return new InvalidRequestError(`${message}.`, [{ field: 'messages', message }]);
}
