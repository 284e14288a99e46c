import { Injectable, Logger } from '@nestjs/common';
import { AppError, type ErrorCode } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';
import { Metrics } from '../../../infra/metrics/index.js';
import { type Embeddings, LlmService, ModelCallError } from '../../../llm/index.js';
import { ChunkRepository, type ChunkToEmbed } from '../chunks/chunk.repository.js';
import { EMBEDDING_BOUNDS, firstHalf, normalizeVector, takeEmbeddingBatch } from './embedding-batch.js';
import { endAfterFailure, isOverBudget } from './embedding-failure.js';
import { IngestionInterruption, toFailure, toLostClaim, toRelease } from './ingestion-end.js';
import { type EmbeddingUsage, IngestionRepository } from './ingestion.repository.js';
import { IngestionStoreRepository } from './ingestion-store.repository.js';
import type { ClaimedIngestion, IngestionWarning } from './ingestion.js';

/** Refusals that may mean that a request is too large. */
const MAYBE_TOO_LARGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'context_length_exceeded',
  'provider_rejected',
  'payload_too_large',
]);

/** Length in UTF-16 units below which a text is not what a model refuses. */
const MIN_TEXT = 200;

/** Timeout of a request, in milliseconds. */
const CALL_MS = 120_000;

/** A request that the model answered. */
interface AnsweredBatch {
  readonly chunks: readonly ChunkToEmbed[];
  readonly embeddings: Embeddings;
  readonly usage: EmbeddingUsage;
  readonly warnings: readonly IngestionWarning[];
}

/** Embeds the chunks of a document and stores the vectors. */
@Injectable()
export class EmbeddingStage {
  private readonly logger = new Logger(EmbeddingStage.name);

  constructor(
    private readonly llm: LlmService,
    private readonly chunks: ChunkRepository,
    private readonly store: IngestionStoreRepository,
    private readonly ingestions: IngestionRepository,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Embeds the chunks without a vector, a bounded request at a time. Each is stored before the next is sent, so that an
   * interrupted ingestion goes on where it was.
   * @param shouldYield returns true once other ingestions should get their turn
   * @throws IngestionInterruption
   */
  async embedChunks(
    claimed: ClaimedIngestion,
    chunkCount: number,
    { signal, shouldYield }: { readonly signal: AbortSignal; readonly shouldYield: () => boolean },
  ): Promise<void> {
    const { embeddingModel } = claimed;
    if (embeddingModel === null) return;
    let dimensions = claimed.dimensions;
    let maxTexts: number = EMBEDDING_BOUNDS.texts;
    for (let next = claimed.embeddedCount; next < chunkCount;) {
      if (signal.aborted || shouldYield()) throw toRelease(0);
      const candidates = await this.chunks.listChunksToEmbed(claimed, next - 1, maxTexts);
      if (candidates.length === 0) throw toLostClaim();
      const batch = takeEmbeddingBatch(candidates, maxTexts);
      const answered = await this.embedBatch({ ...claimed, dimensions }, embeddingModel, batch, signal);
      // A truncated text was refused for its own length, and says nothing about those after it.
      if (answered.chunks.length < batch.length && answered.warnings.length === 0)
        maxTexts = answered.chunks.length;
      dimensions = await this.storeAnswer({ ...claimed, dimensions }, next, answered);
      next += answered.chunks.length;
    }
  }

  /** Embeds the first of some chunks: all, or as many as the model accepts. */
  private async embedBatch(
    claimed: ClaimedIngestion,
    model: string,
    batch: readonly ChunkToEmbed[],
    signal: AbortSignal,
  ): Promise<AnsweredBatch> {
    let chunks = batch;
    let truncated = false;
    for (;;) {
      const callId = newId();
      try {
        const embeddings = await this.llm.embed({
          callId,
          userId: claimed.userId,
          apiKeyId: null,
          model,
          input: chunks.map(({ text }) => text),
          dimensions: undefined,
          signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]),
          accounting: 'caller',
          allowFallback: false,
        });
        const warnings: IngestionWarning[] = truncated
          ? [{ code: 'embedding_truncated', chunks: chunks.map(({ ordinal }) => ordinal) }]
          : [];
        return { chunks, embeddings, usage: { callId, attempts: embeddings.attempts }, warnings };
      } catch (error) {
        const usage = { callId, attempts: error instanceof ModelCallError ? error.attempts : [] };
        const smaller = smallerThan(chunks, error);
        if (smaller === undefined) throw this.toInterruption(claimed, error, usage, signal);
        await retryWhileUnavailable(() => this.ingestions.recordUsage(claimed, usage));
        truncated = chunks.length === 1;
        chunks = smaller;
      }
    }
  }

  /** Stores vectors with their usage, and returns their dimensions. */
  private async storeAnswer(
    claimed: ClaimedIngestion,
    first: number,
    { embeddings, usage, warnings }: AnsweredBatch,
  ): Promise<number> {
    const vectors: (readonly number[])[] = [];
    for (const vector of embeddings.vectors) {
      const normalized = normalizeVector(vector);
      if (normalized === undefined)
        throw toFailure(
          {
            code: 'provider_error',
            message: `The model '${embeddings.model.name}' returned vectors without numbers.`,
          },
          usage,
        );
      vectors.push(normalized);
    }
    const stored = await retryWhileUnavailable(() =>
      this.store.storeVectors(claimed, { first, vectors, usage, warnings }),
    );
    if (stored === 'lost') throw toLostClaim();
    const dimensions = vectors[0]?.length ?? 0;
    if (stored === 'mismatch')
      throw toFailure({
        code: 'reindex_required',
        message: `The model '${embeddings.model.name}' returned vectors with ${dimensions} dimensions, and the index of the collection has others. Reindex the collection.`,
      });
    this.metrics.embeddedChunks.inc({}, vectors.length);
    return dimensions;
  }

  private toInterruption(
    claimed: ClaimedIngestion,
    error: unknown,
    usage: EmbeddingUsage,
    signal: AbortSignal,
  ): IngestionInterruption {
    if (signal.aborted) return toRelease(0, false, usage);
    const interruption = new IngestionInterruption(endAfterFailure(error, claimed, usage));
    this.logger.warn(
      { err: error, ingestion: claimed.id, end: interruption.end.type },
      'the chunks of a document could not be embedded',
    );
    return interruption;
  }
}

/** Returns what may succeed instead of some chunks that were refused; undefined if their number was not the reason. */
function smallerThan(chunks: readonly ChunkToEmbed[], error: unknown): readonly ChunkToEmbed[] | undefined {
  if (!(error instanceof AppError)) return undefined;
  if (MAYBE_TOO_LARGE.has(error.code)) return shrink(chunks);
  return chunks.length > 1 && isOverBudget(error) ? shrink(chunks) : undefined;
}

/** Returns the first half of some chunks, or one with the first half of its text; undefined if that is too short. */
function shrink(chunks: readonly ChunkToEmbed[]): readonly ChunkToEmbed[] | undefined {
  if (chunks.length > 1) return chunks.slice(0, Math.ceil(chunks.length / 2));
  const [chunk] = chunks;
  if (chunk === undefined || chunk.text.length < MIN_TEXT) return undefined;
  return [{ ...chunk, text: firstHalf(chunk.text) }];
}
