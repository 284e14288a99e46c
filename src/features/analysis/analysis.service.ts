import { Injectable, Logger } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { AppError, type NotFoundError } from '../../common/errors.js';
import { type StartedTurn, toIdempotency, toNextTurn, TurnService } from '../chat/index.js';
import { DeletedUploadError, FileService, type NewFile, type UploadIdempotency } from '../files/index.js';
import { type AnalysisBody, DEFAULT_QUESTION } from './analysis.dto.js';

const PDF = 'application/pdf';

/** Name of the route, which scopes an `Idempotency-Key` together with the account. */
const ROUTE = 'POST /api/v1/analyze/pdf';

/** A request to analyze a document. */
export interface AnalysisRequest {
  readonly caller: Caller;
  /** `Idempotency-Key` of the client. */
  readonly key: string | undefined;
}

/** A document of a question: one of the account's files, or one that arrived with the request. */
export type AnalyzedDocument =
  | { readonly kind: 'file'; readonly fileId: string }
  | (UploadedDocument & { readonly kind: 'uploaded'; readonly fileId: string; readonly isNew: boolean })
  /** Its request is repeated, and its file has been deleted since. */
  | (UploadedDocument & { readonly kind: 'deleted'; readonly error: NotFoundError });

interface UploadedDocument {
  readonly hash: Uint8Array;
}

/** Answers questions about PDFs, as turns of new conversations. */
@Injectable()
export class AnalysisService {
  private readonly logger = new Logger(AnalysisService.name);

  constructor(
    private readonly files: FileService,
    private readonly turns: TurnService,
  ) {}

  /** Maximum size of an uploaded document, in bytes. */
  get maxBytes(): number {
    return this.files.maxBytes('user_data');
  }

  /**
   * Stores a document that arrives with a request, as one of the account's files.
   * @throws AppError `unsupported_media_type` if it is not a PDF; then nothing is stored
   * @throws AppError as `FileService.create` does
   */
  async storeDocument({ caller, key }: AnalysisRequest, file: NewFile): Promise<AnalyzedDocument> {
    try {
      const { file: stored, replayed } = await this.files.create(caller.userId, file, {
        ...(key === undefined ? { keptRoute: ROUTE } : { idempotency: toUploadKey(key) }),
        assertType: assertPdf,
      });
      return { kind: 'uploaded', fileId: stored.id, hash: stored.hash, isNew: !replayed };
    } catch (error) {
      if (error instanceof DeletedUploadError) return { kind: 'deleted', hash: error.hash, error };
      throw error;
    }
  }

  /**
   * Starts the answer to a question about a document. If the same request came before, returns the answer that it started.
   * @throws NotFoundError if the account has no such file
   * @throws AppError `unsupported_media_type` if it is not a PDF, `not_ready` if its text is not extracted in time, the
   *   reason why it has no text, and as `TurnService.beginTurn` does
   */
  async ask(
    request: AnalysisRequest,
    document: AnalyzedDocument,
    { question: message = DEFAULT_QUESTION, model }: AnalysisBody,
  ): Promise<StartedTurn> {
    const { caller, key } = request;
    try {
      const asked = { message, ...(model !== undefined && { model }) };
      const idempotency = toIdempotency(ROUTE, key, asked, toIdentity(document));
      // First, because the answer stays when the file is deleted.
      const replayed = idempotency && (await this.turns.replay(caller.userId, idempotency));
      if (replayed !== undefined) return replayed;
      if (document.kind === 'deleted') throw document.error;
      const { fileId } = document;
      assertPdf((await this.files.getFile(caller.userId, fileId)).mediaType);
      return await this.turns.beginTurn(toNextTurn(caller, { ...asked, file_ids: [fileId] }, idempotency));
    } catch (error) {
      await this.releaseDocument(request, document, error);
      throw error;
    }
  }

  /** Keeps the document of a refused question if the request will be repeated, or deletes it. Never rejects. */
  private async releaseDocument(
    request: AnalysisRequest,
    document: AnalyzedDocument,
    error: unknown,
  ): Promise<void> {
    // A repeated request with the same key needs the file.
    if (document.kind !== 'uploaded' || !document.isNew || request.key !== undefined) return;
    if (!(error instanceof AppError && error.code === 'not_ready')) return this.discard(request, document);
    await this.files.keepForRepeat(request.caller.userId, document.fileId, ROUTE).catch((cause: unknown) => {
      this.logger.warn(
        { err: cause, file: document.fileId },
        'could not keep a document for its next request',
      );
    });
  }

  /**
   * Deletes a document that this request has stored and no question has, so that a repeated request is a new one. Never rejects: the file is visible
   * to its owner, who can delete it.
   */
  async discard({ caller: { userId }, key }: AnalysisRequest, document: AnalyzedDocument): Promise<void> {
    if (document.kind !== 'uploaded' || !document.isNew) return;
    const { fileId } = document;
    try {
      await this.files.delete(userId, fileId);
      if (key !== undefined) await this.files.forgetUploadKey(userId, toUploadKey(key));
    } catch (error) {
      this.logger.warn({ err: error, file: fileId }, 'could not delete the document of a refused question');
    }
  }
}

/** Returns the key by which a repeated request finds its file. */
function toUploadKey(key: string): UploadIdempotency {
  return { route: ROUTE, key };
}

/** Returns what a repeated request has in common: an uploaded document may be without its file by then. */
function toIdentity(document: AnalyzedDocument): object {
  if (document.kind === 'file') return { file_ids: [document.fileId] };
  return { file_hash: Buffer.from(document.hash).toString('hex') };
}

/** @throws AppError `unsupported_media_type` */
function assertPdf(mediaType: string): void {
  if (mediaType === PDF) return;
  throw new AppError(
    'unsupported_media_type',
    `The document is not a PDF: its content is ${mediaType}. Send a PDF, or attach the file to a message with POST /api/v1/chat.`,
  );
}
