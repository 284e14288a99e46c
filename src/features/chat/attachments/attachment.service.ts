import { Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../../common/errors.js';
import { countTokens, ModelCatalog, type MediaKind, mediaTokens } from '../../../llm/index.js';
import { FileService, type StoredFile } from '../../files/index.js';
import { type AttachmentKind, kindOf, MAX_FILES_BYTES, MAX_TEXT_BYTES, toTextPart } from './attachment.js';
import { AttachmentRepository, type StoredAttachment } from './attachment.repository.js';
import type { ResolvedTarget, TurnTarget } from '../model/turn-target.js';

/** The files of a question, looked at before it is stored. */
export interface QuestionFiles {
  /** In the order in which they were named. */
  readonly ids: readonly string[];
  /** What they take, by our count. */
  readonly tokens: number;
}

/** A question without files. */
export const NO_FILES: QuestionFiles = { ids: [], tokens: 0 };

const MEGABYTE = 2 ** 20;

/** How the kinds of media are called. */
const CALLED = { image: 'images', pdf: 'PDFs' } as const satisfies Record<MediaKind, string>;

/** Files that come with questions. */
@Injectable()
export class AttachmentService {
  constructor(
    private readonly attachments: AttachmentRepository,
    private readonly files: FileService,
    private readonly models: ModelCatalog,
  ) {}

  /**
   * The files of the question that a turn answers: those that are named, or those that the question, or the one whose
   * place it takes, was sent with before.
   * @throws NotFoundError where one is not the user's, InvalidRequestError where they are too large or the model cannot
   *   read them
   */
  async ofQuestion(
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

  /** The files of messages, by the id of the message. */
  async ofMessages(
    userId: string,
    messageIds: readonly string[],
  ): Promise<ReadonlyMap<string, readonly StoredAttachment[]>> {
    if (messageIds.length === 0) return new Map();
    return Map.groupBy(await this.attachments.of(userId, messageIds), ({ messageId }) => messageId);
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

  /** What has been deleted since is left out. */
  private async sent(
    userId: string,
    target: Exclude<TurnTarget, { type: 'next' }>,
    resolved: ResolvedTarget,
  ): Promise<StoredFile[]> {
    const messageId = sentMessage(target, resolved);
    if (messageId === null) return [];
    const ids = (await this.attachments.of(userId, [messageId])).flatMap(({ fileId }) => fileId ?? []);
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
    const what = media.map((kind) => CALLED[kind]).join(' and ');
    throw wrong(field, `the model '${model}' does not support ${what}; use another model, or omit the files`);
  }

  private async tokensOf(userId: string, file: StoredFile): Promise<number> {
    const kind = kindOf(file.mediaType);
    if (kind !== 'text') return kind === undefined ? 0 : mediaTokens(kind, file.size);
    const bytes = await this.files.read(userId, file.id);
    return countTokens(toTextPart(file.name, bytes.toString()).text);
  }
}

function idsIn({ newMessages }: ResolvedTarget): readonly string[] {
  return newMessages.flatMap((message) => (message.role === 'user' ? (message.fileIds ?? []) : []));
}

/** The message whose files the question of a turn has: the question itself, or the one whose place it takes. */
function sentMessage(target: TurnTarget, { after }: ResolvedTarget): string | null {
  if (target.type === 'edit') return target.messageId;
  return target.type === 'regenerate' && after !== 'leaf' ? after.messageId : null;
}

/** @throws InvalidRequestError where a model can be told nothing of the file */
function acceptedKind({ name, mediaType, size }: StoredFile, field: string): AttachmentKind {
  const kind = kindOf(mediaType);
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
