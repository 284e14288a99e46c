import { Injectable } from '@nestjs/common';
import type { ByteLease } from '../../../common/byte-limiter.js';
import { FileService, FileTextService, type StoredFile } from '../../files/index.js';
import {
  attachmentForm,
  attachmentKind,
  DELETED,
  MAX_FILES_BYTES,
  type ModelMediaSupport,
  type Part,
  toOmittedFilePart,
} from '../attachments/attachment.js';
import { AttachmentLoader, type LoadableFile } from '../attachments/attachment-loader.js';
import { AttachmentRepository, type StoredAttachment } from '../attachments/attachment.repository.js';
import { estimateTextTokens } from '../attachments/document-text.js';
import { ModelMedia } from '../attachments/model-media.js';
import type { OmittedPages } from '../model/omitted-pages.js';
import type { ContextMessage } from './context.repository.js';

/** Reasons why a file is not sent to a model, as the end of a sentence. */
const TOO_MUCH = 'is left out: the files of the conversation are too large together.';
const NO_TEXT = 'is left out: its text could not be extracted.';
const PENDING = 'is left out: its text is still being extracted.';
const UNREAD = 'is left out: this model does not read files of its type.';

/** The attachments of a path, with the form of each for the model of a turn. */
export interface SelectedFiles {
  readonly byMessage: ReadonlyMap<string, readonly SelectedFile[]>;
  /** Estimated tokens of the documents that are sent as text. */
  readonly textTokens: number;
}

/** A file of a message: to be loaded, or replaced by a note. */
export type SelectedFile = LoadableFile | { readonly type: 'absent'; readonly part: Part };

/** The message parts of attachments, and what is missing in them. */
export interface LoadedFiles {
  readonly partsByMessage: ReadonlyMap<string, readonly Part[]>;
  /** Tokens of the documents that are sent as text, by our count. */
  readonly textTokens: number;
  /** Documents that are not sent in full. */
  readonly omittedPages: readonly OmittedPages[];
}

/** Loads attachments to be sent to a model. Their bytes are read for that purpose only and not cached. */
@Injectable()
export class ContextAttachmentsService {
  constructor(
    private readonly attachments: AttachmentRepository,
    private readonly files: FileService,
    private readonly texts: FileTextService,
    private readonly media: ModelMedia,
    private readonly loader: AttachmentLoader,
  ) {}

  /** Selects the attachments of a path for the model of a turn, without reading them. The newest take precedence. */
  async selectFiles(
    call: { readonly userId: string; readonly model: string },
    path: readonly ContextMessage[],
  ): Promise<SelectedFiles> {
    const ids = path.filter(({ hasFiles }) => hasFiles).map(({ id }) => id);
    if (ids.length === 0) return { byMessage: new Map(), textTokens: 0 };
    const sent = await this.attachments.listAttachments(call.userId, ids);
    const attached = Map.groupBy(sent, ({ messageId }) => messageId);
    const support = await this.media.supportFor(
      call,
      new Set(sent.map(({ mediaType }) => attachmentKind(mediaType))),
    );
    const selection = new FileSelection(support, await this.known(call.userId, sent));
    const byMessage = new Map(
      ids.toReversed().map((id) => [id, (attached.get(id) ?? []).map((one) => selection.select(one))]),
    );
    return { byMessage, textTokens: await this.textTokensOf(call.userId, byMessage) };
  }

  /**
   * Loads the selected attachments of messages. If not all texts fit, those of the newest messages take precedence.
   * @param options.history the messages whose attachments are sent, oldest first
   * @param options.maxTextTokens tokens for the documents that are sent as text
   * @param options.memory reserved for the bytes of files before they are read; the caller releases it once the model
   *   has them
   * @throws ServerBusyError if other turns occupy the memory, or the signal's reason when it aborts
   */
  async loadParts(
    userId: string,
    { byMessage }: SelectedFiles,
    options: {
      readonly history: readonly ContextMessage[];
      readonly maxTextTokens: number;
      readonly memory: ByteLease;
      readonly signal: AbortSignal;
    },
  ): Promise<LoadedFiles> {
    const { history, maxTextTokens, memory, signal } = options;
    const messages = history.toReversed().flatMap(({ id }) => {
      const files = byMessage.get(id);
      return files === undefined ? [] : [{ id, files }];
    });
    const bytes = messages.flatMap(({ files }) =>
      files.map((file) => (file.type === 'media' ? file.file.size : 0)),
    );
    await memory.acquire(
      bytes.reduce((sum, one) => sum + one, 0),
      signal,
    );
    const loading = this.loader.beginLoading(userId, maxTextTokens);
    const partsByMessage = new Map<string, readonly Part[]>();
    for (const { id, files } of messages) {
      const parts: Part[] = [];
      for (const file of files) parts.push(file.type === 'absent' ? file.part : await loading.loadPart(file));
      partsByMessage.set(id, parts);
    }
    const { omittedPages, textTokens } = loading;
    return { partsByMessage, textTokens, omittedPages };
  }

  private async textTokensOf(
    userId: string,
    byMessage: ReadonlyMap<string, readonly SelectedFile[]>,
  ): Promise<number> {
    const documents = [...byMessage.values()].flat().filter((file) => file.type === 'document');
    const ids = documents.map(({ file }) => file.id);
    return ids.length === 0 ? 0 : estimateTextTokens(await this.texts.readTextBytes(userId, ids));
  }

  private async known(
    userId: string,
    sent: readonly StoredAttachment[],
  ): Promise<ReadonlyMap<string, StoredFile>> {
    const ids = new Set(sent.flatMap(({ fileId }) => fileId ?? []));
    const files = await this.files.getAll(userId, [...ids]);
    return new Map(files.map((file) => [file.id, file]));
  }
}

/** Returns true if one of the files of a message is sent as text. */
export function hasDocument(files: readonly SelectedFile[] = []): boolean {
  return files.some(({ type }) => type === 'document');
}

/** Selects the files of one turn before any of them is read. */
class FileSelection {
  /** Total size of the selected images and PDFs. */
  private bytes = 0;

  constructor(
    private readonly support: ModelMediaSupport,
    private readonly known: ReadonlyMap<string, StoredFile>,
  ) {}

  select({ fileId, name, mediaType }: StoredAttachment): SelectedFile {
    const absent = (why: string): SelectedFile => ({ type: 'absent', part: toOmittedFilePart(name, why) });
    const file = fileId === null ? undefined : this.known.get(fileId);
    if (file === undefined) return absent(DELETED);
    const kind = attachmentKind(mediaType);
    if (kind === undefined || (kind === 'image' && this.support.image === 'unsupported'))
      return absent(UNREAD);
    const form = attachmentForm(kind, file, this.support);
    if (form === 'text') {
      if (file.text.status === 'ready') return { type: 'document', file };
      return absent(file.text.status === 'pending' ? PENDING : NO_TEXT);
    }
    if (this.bytes + file.size > MAX_FILES_BYTES) return absent(TOO_MUCH);
    this.bytes += file.size;
    return { type: 'media', kind: form, file };
  }
}
