import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { LlmService, type MediaKind } from '../../llm/index.js';
import { FileService, type StoredFile } from '../files/index.js';
import { kindOf, MAX_FILES_BYTES, type Part, toAbsence, toPart } from './attachment.js';
import { AttachmentRepository, type StoredAttachment } from './attachment.repository.js';
import type { ContextMessage } from './context.repository.js';

/** Why a model is not given a file, as the end of a sentence. */
const DELETED = 'was deleted.';
const TOO_MUCH = 'is left out: the files of the conversation are too large together.';
const UNREAD = 'is left out: this model does not read files of its type.';

/** Tells a model the files that messages came with. Their bytes are read for that and not kept. */
@Injectable()
export class ToldFilesService {
  constructor(
    private readonly attachments: AttachmentRepository,
    private readonly files: FileService,
    private readonly llm: LlmService,
  ) {}

  /**
   * The files of a path as the model of a turn is told them, by the id of the message that they came with. Where not all
   * fit the newest come first.
   */
  async partsOf(
    { userId, model }: { readonly userId: string; readonly model: string },
    path: readonly ContextMessage[],
  ): Promise<ReadonlyMap<string, readonly Part[]>> {
    const told = new Map<string, Part[]>();
    const ids = path.filter(({ hasFiles }) => hasFiles).map(({ id }) => id);
    if (ids.length === 0) return told;
    const sent = await this.attachments.of(userId, ids);
    const byMessage = Map.groupBy(sent, ({ messageId }) => messageId);
    const readable = await this.readableIn({ userId, model }, sent);
    const telling = new Telling(this.files, userId, readable, await this.known(userId, sent));
    for (const id of ids.toReversed()) {
      const parts: Part[] = [];
      for (const attachment of byMessage.get(id) ?? []) parts.push(await telling.partOf(attachment));
      told.set(id, parts);
    }
    return told;
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
    const kinds = new Set(sent.map(({ mediaType }) => kindOf(mediaType)));
    const readable = new Set<MediaKind>();
    for (const kind of ['image', 'pdf'] as const) {
      if (kinds.has(kind) && (await this.llm.reads({ userId, model }, new Set([...readable, kind]))))
        readable.add(kind);
    }
    return readable;
  }
}

/** The files of one turn while they are told. */
class Telling {
  private bytesLeft = MAX_FILES_BYTES;

  constructor(
    private readonly files: FileService,
    private readonly userId: string,
    private readonly readable: ReadonlySet<MediaKind>,
    private readonly known: ReadonlyMap<string, StoredFile>,
  ) {}

  async partOf({ fileId, name, mediaType }: StoredAttachment): Promise<Part> {
    const file = fileId === null ? undefined : this.known.get(fileId);
    if (file === undefined) return toAbsence(name, DELETED);
    const kind = kindOf(mediaType);
    if (kind === undefined || (kind !== 'text' && !this.readable.has(kind))) return toAbsence(name, UNREAD);
    if (file.size > this.bytesLeft) return toAbsence(name, TOO_MUCH);
    this.bytesLeft -= file.size;
    try {
      return toPart(kind, file, await this.files.read(this.userId, file.id));
    } catch (error) {
      // Deleted between the two looks.
      if (error instanceof NotFoundError) return toAbsence(name, DELETED);
      throw error;
    }
  }
}
