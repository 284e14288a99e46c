import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import type { MediaKind } from '../../../llm/index.js';
import { FileService, FileTextService, type StoredFile } from '../../files/index.js';
import { DELETED, type Part, toMediaPart, toOmittedFilePart } from './attachment.js';
import { fitDocument, pageNumbers } from './document-text.js';
import type { OmittedPages } from '../model/omitted-pages.js';

/** Reason why a document is not sent to a model, as the end of a sentence. */
const NO_ROOM = 'is left out: it does not fit.';

/** Smallest number of tokens for which the beginning of a document is sent. */
const MIN_TEXT_TOKENS = 100;

/** A file to be loaded: sent as it is, or as its text. */
export type LoadableFile =
  | { readonly type: 'media'; readonly kind: MediaKind; readonly file: StoredFile }
  | { readonly type: 'document'; readonly file: StoredFile };

/** Loads files to be sent to a model. Their bytes are read for that purpose only and not cached. */
@Injectable()
export class AttachmentLoader {
  constructor(
    private readonly files: FileService,
    private readonly texts: FileTextService,
  ) {}

  /**
   * Begins to load the files of one request.
   * @param maxTextTokens tokens for all documents that are sent as text
   */
  beginLoading(userId: string, maxTextTokens: number): AttachmentLoading {
    return new AttachmentLoading(this.files, this.texts, userId, maxTextTokens);
  }
}

/** Loads the files of one request, one after the other: those that are loaded first take precedence. */
export class AttachmentLoading {
  /** Tokens of the documents loaded as text so far, by our count. */
  textTokens = 0;
  /** Documents that are not loaded in full. */
  readonly omittedPages: OmittedPages[] = [];

  constructor(
    private readonly files: FileService,
    private readonly texts: FileTextService,
    private readonly userId: string,
    private readonly maxTextTokens: number,
  ) {}

  /** Returns the part of a message for a file; a note if the file has been deleted. */
  async loadPart(loadable: LoadableFile): Promise<Part> {
    const { file } = loadable;
    try {
      if (loadable.type === 'document') return await this.documentPart(file);
      return toMediaPart(loadable.kind, file, await this.files.read(this.userId, file.id));
    } catch (error) {
      // Deleted since it was listed.
      if (error instanceof NotFoundError) return toOmittedFilePart(file.name, DELETED);
      throw error;
    }
  }

  private async documentPart({ id, name }: StoredFile): Promise<Part> {
    const document = await this.texts.openText(this.userId, id);
    const room = this.maxTextTokens - this.textTokens;
    if (room < MIN_TEXT_TOKENS) {
      this.omittedPages.push({ fileId: id, name, pages: pageNumbers(1, document.pageCount) });
      return toOmittedFilePart(name, NO_ROOM);
    }
    const { text, tokens, omittedPages: pages } = await fitDocument(name, document, room);
    this.textTokens += tokens;
    if (pages.length > 0) this.omittedPages.push({ fileId: id, name, pages });
    return { type: 'text', text };
  }
}
