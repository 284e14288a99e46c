import { Injectable, Logger } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { AppError } from '../../common/errors.js';
import { type StartedTurn, toIdempotency, toNextTurn, TurnService } from '../chat/index.js';
import { FileService, type NewFile, type UploadIdempotency } from '../files/index.js';
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

/** A document of a question. */
export interface AnalyzedDocument {
  readonly fileId: string;
  /** True if this request has stored it. */
  readonly isNew: boolean;
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
    const { file: stored, replayed } = await this.files.create(caller.userId, file, {
      idempotency: toUploadKey(key),
      assertType: assertPdf,
    });
    return { fileId: stored.id, isNew: !replayed };
  }

  /**
   * Starts the answer to a question about a document. If the same request came before, returns the answer that it started.
   * @throws NotFoundError if the account has no such file
   * @throws AppError `unsupported_media_type` if it is not a PDF, `not_ready` if its text is not extracted in time, the
   *   reason why it has no text, and as `TurnService.beginTurn` does
   */
  async ask(
    request: AnalysisRequest,
    { fileId, isNew }: AnalyzedDocument,
    { question: message = DEFAULT_QUESTION, model }: AnalysisBody,
  ): Promise<StartedTurn> {
    const { caller, key } = request;
    try {
      const body = { message, file_ids: [fileId], ...(model !== undefined && { model }) };
      const idempotency = toIdempotency(ROUTE, key, body);
      // First, because the answer stays when the file is deleted.
      const replayed = idempotency && (await this.turns.replay(caller.userId, idempotency));
      if (replayed !== undefined) return replayed;
      assertPdf((await this.files.getFile(caller.userId, fileId)).mediaType);
      return await this.turns.beginTurn(toNextTurn(caller, body, idempotency));
    } catch (error) {
      // A repeated request with the same key needs the file, and a request that waits for the text repeats itself.
      const isRepeated = key !== undefined || (error instanceof AppError && error.code === 'not_ready');
      if (isNew && !isRepeated) await this.discard(request, fileId);
      throw error;
    }
  }

  /**
   * Deletes a document that no question has, so that a repeated request is a new one. Never rejects: the file is visible
   * to its owner, who can delete it.
   */
  async discard({ caller: { userId }, key }: AnalysisRequest, fileId: string): Promise<void> {
    const uploadKey = toUploadKey(key);
    try {
      await this.files.delete(userId, fileId);
      if (uploadKey !== undefined) await this.files.forgetUploadKey(userId, uploadKey);
    } catch (error) {
      this.logger.warn({ err: error, file: fileId }, 'could not delete the document of a refused question');
    }
  }
}

/** Returns the key by which a repeated request finds its file. */
function toUploadKey(key: string | undefined): UploadIdempotency | undefined {
  return key === undefined ? undefined : { route: ROUTE, key };
}

/** @throws AppError `unsupported_media_type` */
function assertPdf(mediaType: string): void {
  if (mediaType === PDF) return;
  throw new AppError(
    'unsupported_media_type',
    `The document is not a PDF: its content is ${mediaType}. Send a PDF, or attach the file to a message with POST /api/v1/chat.`,
  );
}
