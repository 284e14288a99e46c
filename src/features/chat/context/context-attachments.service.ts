import { Injectable } from '@nestjs/common';
import type { ByteLease } from '../../../common/byte-limiter.js';
import { NotFoundError } from '../../../common/errors.js';
import { ModelCatalog, type MediaKind } from '../../../llm/index.js';
import { FileService, type StoredFile } from '../../files/index.js';
import {
  type AttachmentKind,
  attachmentKind,
  MAX_FILES_BYTES,
  type Part,
  toOmittedFilePart,
  toContentPart,
} from '../attachments/attachment.js';
import { AttachmentRepository, type StoredAttachment } from '../attachments/attachment.repository.js';
import type { ContextMessage } from './context.repository.js';

/** Reasons why a file is not sent to a model, as the end of a sentence. */
const DELETED = 'was deleted.';
const TOO_MUCH = 'is left out: the files of the conversation are too large together.';
const UNREAD = 'is left out: this model does not read files of its type.';

/** Loads attachments to be sent to a model. Their bytes are read for that purpose only and not cached. */
@Injectable()
export class ContextAttachmentsService {
  constructor(
    private readonly attachments: AttachmentRepository,
    private readonly files: FileService,
    private readonly models: ModelCatalog,
  ) {}

  /**
   * Returns the attachments of a path as message parts for the model of a turn, by message id. If not all fit, the
   * newest take precedence.
   * @param memory reserved for their bytes before they are read; the caller releases it once the model has them
   * @throws ServerBusyError if other turns occupy the memory, or the signal's reason when it aborts
   */
  async loadParts(
    { userId, model }: { readonly userId: string; readonly model: string },
    path: readonly ContextMessage[],
    { memory, signal }: { readonly memory: ByteLease; readonly signal: AbortSignal },
  ): Promise<ReadonlyMap<string, readonly Part[]>> {
    const partsByMessage = new Map<string, Part[]>();
    const ids = path.filter(({ hasFiles }) => hasFiles).map(({ id }) => id);
    if (ids.length === 0) return partsByMessage;
    const sent = await this.attachments.listAttachments(userId, ids);
    const byMessage = Map.groupBy(sent, ({ messageId }) => messageId);
    const readable = await this.readableIn({ userId, model }, sent);
    const selection = new FileSelection(readable, await this.known(userId, sent));
    const selected = ids.toReversed().map((id) => ({
      id,
      files: (byMessage.get(id) ?? []).map((attachment) => selection.select(attachment)),
    }));
    await memory.acquire(selection.bytes, signal);
    for (const { id, files } of selected) {
      const parts: Part[] = [];
      for (const file of files) parts.push(await this.partOf(userId, file));
      partsByMessage.set(id, parts);
    }
    return partsByMessage;
  }

  private async partOf(userId: string, selected: SelectedFile): Promise<Part> {
    if (selected.type === 'absent') return selected.part;
    const { kind, file } = selected;
    try {
      return toContentPart(kind, file, await this.files.read(userId, file.id));
    } catch (error) {
      // Deleted since it was listed.
      if (error instanceof NotFoundError) return toOmittedFilePart(file.name, DELETED);
      throw error;
    }
  }

  private async known(
    userId: string,
    sent: readonly StoredAttachment[],
  ): Promise<ReadonlyMap<string, StoredFile>> {
    const ids = new Set(sent.flatMap(({ fileId }) => fileId ?? []));
    const files = await this.files.getAll(userId, [...ids]);
    return new Map(files.map((file) => [file.id, file]));
  }

  private async readableIn(
    { userId, model }: { readonly userId: string; readonly model: string },
    sent: readonly StoredAttachment[],
  ): Promise<ReadonlySet<MediaKind>> {
    const kinds = new Set(sent.map(({ mediaType }) => attachmentKind(mediaType)));
    const readable = new Set<MediaKind>();
    for (const kind of ['image', 'pdf'] as const) {
      if (
        kinds.has(kind) &&
        (await this.models.supportsMedia({ userId, model }, new Set([...readable, kind])))
      )
        readable.add(kind);
    }
    return readable;
  }
}

/** A file to be read for a model, or the text that replaces it. */
type SelectedFile =
  | { readonly type: 'file'; readonly kind: AttachmentKind; readonly file: StoredFile }
  | { readonly type: 'absent'; readonly part: Part };

/** Selects the files of one turn before any of them is read. */
class FileSelection {
  /** Total size of the selected files. */
  bytes = 0;

  constructor(
    private readonly readable: ReadonlySet<MediaKind>,
    private readonly known: ReadonlyMap<string, StoredFile>,
  ) {}

  select({ fileId, name, mediaType }: StoredAttachment): SelectedFile {
    const absent = (why: string): SelectedFile => ({ type: 'absent', part: toOmittedFilePart(name, why) });
    const file = fileId === null ? undefined : this.known.get(fileId);
    if (file === undefined) return absent(DELETED);
    const kind = attachmentKind(mediaType);
    if (kind === undefined || (kind !== 'text' && !this.readable.has(kind))) return absent(UNREAD);
    if (this.bytes + file.size > MAX_FILES_BYTES) return absent(TOO_MUCH);
    this.bytes += file.size;
    return { type: 'file', kind, file };
  }
}
