import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { InvalidRequestError, NotFoundError } from '../../../common/errors.js';
import { contextConfig } from '../../../config/index.js';
import { estimateMediaTokens, ModelCatalog } from '../../../llm/index.js';
import { type ExtractionFailure, FileService, FileTextService, type StoredFile } from '../../files/index.js';
import {
  attachmentForm,
  type AttachmentKind,
  attachmentKind,
  MAX_FILES_BYTES,
  type ModelMediaSupport,
} from './attachment.js';
import type { LoadableFile } from './attachment-loader.js';
import { AttachmentRepository, type StoredAttachment } from './attachment.repository.js';
import { estimateTextTokens } from './document-text.js';
import { ModelMedia } from './model-media.js';
import type { AnswerParameters } from '../model/answer-parameters.js';
import { maxInputTokens } from '../model/input-tokens.js';
import type { ResolvedTarget, TurnTarget } from '../model/turn-target.js';

/** The attachments of a question, checked before it is stored. */
export interface QuestionFiles {
  /** File ids in the order of the request. */
  readonly ids: readonly string[];
  /** Tokens of the images and PDFs that are sent as they are, by our count. Part of the tokens of the message. */
  readonly tokens: number;
  /**
   * Estimated tokens of the documents that are sent as text: not part of the tokens of the message, because each turn
   * sends as much of a text as fits.
   */
  readonly textTokens: number;
}

export const NO_FILES: QuestionFiles = { ids: [], tokens: 0, textTokens: 0 };

const MEGABYTE = 2 ** 20;

/** Failures of an extraction for which no provider can read a PDF either. */
const UNREADABLE: ReadonlySet<ExtractionFailure> = new Set<ExtractionFailure>([
  'encrypted',
  'damaged',
  'empty',
]);

/** A file of a kind that can be sent to a model. */
interface AcceptedFile {
  readonly file: StoredFile;
  readonly kind: AttachmentKind;
}

/** Files in the form in which a model gets them. */
export interface ResolvedFiles extends Omit<QuestionFiles, 'ids'> {
  readonly files: readonly LoadableFile[];
  /** Total size of the files that are sent as they are, in bytes. */
  readonly mediaBytes: number;
}

/** The model and the parameters of the answer to a question. */
interface AnswerTarget {
  readonly userId: string;
  readonly model: string;
  readonly parameters: AnswerParameters;
}

/** Validates and lists the attachments of questions. */
@Injectable()
export class AttachmentService {
  constructor(
    private readonly attachments: AttachmentRepository,
    private readonly files: FileService,
    private readonly texts: FileTextService,
    private readonly media: ModelMedia,
    private readonly models: ModelCatalog,
    @Inject(contextConfig.KEY) private readonly config: ConfigType<typeof contextConfig>,
  ) {}

  /**
   * Returns the attachments of the question that a turn answers: the files named in the request, or those already
   * attached to the question or to the question that it replaces. Waits for the text of those that are sent as text.
   * @throws NotFoundError if one does not belong to the user
   * @throws InvalidRequestError if they are too large or the model cannot read them
   * @throws AppError `not_ready` if a text is not extracted in time, or the reason why a document has no text
   */
  async resolveQuestionFiles(
    answer: AnswerTarget,
    { target, resolved }: { readonly target: TurnTarget; readonly resolved: ResolvedTarget },
  ): Promise<QuestionFiles> {
    const field = target.type === 'next' ? 'file_ids' : 'model';
    const files =
      target.type === 'next'
        ? await this.named(answer.userId, idsIn(resolved))
        : await this.sent(answer.userId, target, resolved);
    if (files.length === 0) return NO_FILES;
    const { tokens, textTokens } = await this.resolveFiles(answer, files, field);
    return { ids: files.map(({ id }) => id), tokens, textTokens };
  }

  /**
   * Returns the form in which the model of an answer gets each file, in the same order. Waits for the text of those
   * that are sent as text.
   * @param field field of the request that errors name
   * @param signal ends the wait; without it, the wait ends by itself
   * @throws as {@link resolveQuestionFiles}
   */
  async resolveFiles(
    answer: AnswerTarget,
    files: readonly StoredFile[],
    field: string,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<ResolvedFiles> {
    const accepted = files.map((file) => ({ file, kind: acceptedKind(file, field) }));
    const support = await this.media.supportFor(answer, new Set(accepted.map(({ kind }) => kind)));
    if (support.image === 'unsupported')
      throw wrong(
        field,
        `the model '${answer.model}' does not support images; use another model, or omit the files`,
      );
    const loadable = await Promise.all(
      accepted.map((one) => this.toLoadable(answer.userId, one, support, signal)),
    );
    const media = loadable.filter((one) => one.type === 'media');
    const mediaBytes = media.reduce((sum, { file }) => sum + file.size, 0);
    if (mediaBytes > MAX_FILES_BYTES)
      throw wrong(field, `the files of a message must not exceed ${MAX_FILES_BYTES / MEGABYTE} MB in total`);
    return {
      files: loadable,
      mediaBytes,
      tokens: media.reduce((sum, { kind, file }) => sum + estimateMediaTokens(kind, file.size), 0),
      textTokens: await this.textTokensOf(answer, loadable),
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

  /** @throws AppError if it can only be sent as text and has none, or not yet */
  private async toLoadable(
    userId: string,
    { file, kind }: AcceptedFile,
    support: ModelMediaSupport,
    signal: AbortSignal,
  ): Promise<LoadableFile> {
    if (kind === 'image') return { type: 'media', kind, file };
    try {
      // Also if the document is sent as it is: the extraction shows whether anyone can read it.
      await this.texts.awaitReady(userId, file.id, signal);
      const form = attachmentForm(kind, file, support);
      return form === 'text' ? { type: 'document', file } : { type: 'media', kind: form, file };
    } catch (error) {
      // Only the extraction shows that a PDF is scanned.
      const extracted = await this.files.getFile(userId, file.id);
      const form = attachmentForm(kind, extracted, support);
      const isUnreadable = extracted.text.status === 'failed' && UNREADABLE.has(extracted.text.error);
      if (form === 'text' || isUnreadable || signal.aborted) throw error;
      return { type: 'media', kind: form, file };
    }
  }

  /** Estimates the tokens of documents that are sent as text: at most those that a turn can have. */
  private async textTokensOf(
    { userId, model, parameters }: AnswerTarget,
    files: readonly LoadableFile[],
  ): Promise<number> {
    const documents = files.filter(({ type }) => type === 'document');
    if (documents.length === 0) return 0;
    const ids = documents.map(({ file }) => file.id);
    const tokens = estimateTextTokens(await this.texts.readTextBytes(userId, ids));
    const { tokens: windowTokens } = await this.models.contextWindow(model);
    return Math.min(tokens, maxInputTokens(windowTokens, this.config.maxTokens, parameters));
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
function acceptedKind({ name, mediaType }: StoredFile, field: string): AttachmentKind {
  const kind = attachmentKind(mediaType);
  if (kind !== undefined) return kind;
  throw wrong(
    field,
    `'${name}' is not an image, a PDF, a DOCX document or a text file, so it cannot be sent to a model`,
  );
}

function wrong(field: string, message: string): InvalidRequestError {
  return new InvalidRequestError(`${field}: ${message}.`, [{ field, message }]);
}
