import { Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../../common/errors.js';
import { countTokens, ModelCatalog, type MediaKind, estimateMediaTokens } from '../../../llm/index.js';
import { FileService, type StoredFile } from '../../files/index.js';
import {
  type AttachmentKind,
  attachmentKind,
  MAX_FILES_BYTES,
  MAX_TEXT_BYTES,
  toTextPart,
} from './attachment.js';
import { AttachmentRepository, type StoredAttachment } from './attachment.repository.js';
import type { ResolvedTarget, TurnTarget } from '../model/turn-target.js';

/** The attachments of a question, checked before it is stored. */
export interface QuestionFiles {
  /** File ids in the order of the request. */
  readonly ids: readonly string[];
  /** Their tokens, by our count. */
  readonly tokens: number;
}

export const NO_FILES: QuestionFiles = { ids: [], tokens: 0 };

const MEGABYTE = 2 ** 20;

/** Names of the kinds of media in error messages. */
const MEDIA_KIND_LABELS = { image: 'images', pdf: 'PDFs' } as const satisfies Record<MediaKind, string>;

/** Validates and lists the attachments of questions. */
@Injectable()
export class AttachmentService {
  constructor(
    private readonly attachments: AttachmentRepository,
    private readonly files: FileService,
    private readonly models: ModelCatalog,
  ) {}

  /**
   * Returns the attachments of the question that a turn answers: the files named in the request, or those already
   * attached to the question or to the question that it replaces.
   * @throws NotFoundError if one does not belong to the user
   * @throws InvalidRequestError if they are too large or the model cannot read them
   */
  async resolveQuestionFiles(
    userId: string,
    {
      target,
      resolved,
      model,
    }: { readonly target: TurnTarget; readonly resolved: ResolvedTarget; readonly model: string },
  ): Promise<QuestionFiles> {
    const field = target.type === 'next' ? 'file_ids' : 'model';
    const files =
      target.type === 'next'
        ? await this.named(userId, idsIn(resolved))
        : await this.sent(userId, target, resolved);
    if (files.length === 0) return NO_FILES;
    const kinds = new Set(files.map((file) => acceptedKind(file, field)));
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size > MAX_FILES_BYTES) {
      throw wrong(field, `the files of a message must not exceed ${MAX_FILES_BYTES / MEGABYTE} MB in total`);
    }
    await this.assertReadable(userId, model, kinds, field);
    const tokens = await Promise.all(files.map((file) => this.tokensOf(userId, file)));
    return {
      ids: files.map(({ id }) => id),
      tokens: tokens.reduce((sum, one) => sum + one, 0),
    };
  }

  /** Returns the attachments of messages, by message id. */
  async listByMessage(
    userId: string,
    messageIds: readonly string[],
  ): Promise<ReadonlyMap<string, readonly StoredAttachment[]>> {
    if (messageIds.length === 0) return new Map();
    return Map.groupBy(
      await this.attachments.listAttachments(userId, messageIds),
      ({ messageId }) => messageId,
    );
  }

  private async named(userId: string, ids: readonly string[]): Promise<StoredFile[]> {
    const found = await this.files.getAll(userId, ids);
    const byId = new Map(found.map((file) => [file.id, file]));
    return ids.map((id) => {
      const file = byId.get(id.toLowerCase());
      if (file === undefined) throw new NotFoundError('file', id);
      return file;
    });
  }

  /** Returns the files already attached, without those deleted since. */
  private async sent(
    userId: string,
    target: Exclude<TurnTarget, { type: 'next' }>,
    resolved: ResolvedTarget,
  ): Promise<StoredFile[]> {
    const messageId = sentMessage(target, resolved);
    if (messageId === null) return [];
    const ids = (await this.attachments.listAttachments(userId, [messageId])).flatMap(
      ({ fileId }) => fileId ?? [],
    );
    const found = await this.files.getAll(userId, ids);
    return ids.flatMap((id) => found.find((file) => file.id === id) ?? []);
  }

  private async assertReadable(
    userId: string,
    model: string,
    kinds: ReadonlySet<AttachmentKind>,
    field: string,
  ): Promise<void> {
    const media = (['image', 'pdf'] as const).filter((kind) => kinds.has(kind));
    if (media.length === 0 || (await this.models.supportsMedia({ model, userId }, new Set(media)))) return;
    const what = media.map((kind) => MEDIA_KIND_LABELS[kind]).join(' and ');
    throw wrong(field, `the model '${model}' does not support ${what}; use another model, or omit the files`);
  }

  private async tokensOf(userId: string, file: StoredFile): Promise<number> {
    const kind = attachmentKind(file.mediaType);
    if (kind !== 'text') return kind === undefined ? 0 : estimateMediaTokens(kind, file.size);
    const bytes = await this.files.read(userId, file.id);
    return countTokens(toTextPart(file.name, bytes.toString()).text);
  }
}

function idsIn({ newMessages }: ResolvedTarget): readonly string[] {
  return newMessages.flatMap((message) => (message.role === 'user' ? (message.fileIds ?? []) : []));
}

/**
 * Returns the message whose attachments the question of a turn has: the question itself, or the one that it
 * replaces.
 */
function sentMessage(target: TurnTarget, { after }: ResolvedTarget): string | null {
  if (target.type === 'edit') return target.messageId;
  return target.type === 'regenerate' && after !== 'leaf' ? after.messageId : null;
}

/** @throws InvalidRequestError if the file cannot be sent to any model */
function acceptedKind({ name, mediaType, size }: StoredFile, field: string): AttachmentKind {
  const kind = attachmentKind(mediaType);
  if (kind === undefined)
    throw wrong(field, `'${name}' is not an image, a PDF or a text file, so it cannot be sent to a model`);
  if (kind === 'text' && size > MAX_TEXT_BYTES)
    throw wrong(
      field,
      `'${name}' exceeds the limit for text files, which is ${MAX_TEXT_BYTES / MEGABYTE} MB`,
    );
  return kind;
}

function wrong(field: string, message: string): InvalidRequestError {
  return new InvalidRequestError(`${field}: ${message}.`, [{ field, message }]);
}
