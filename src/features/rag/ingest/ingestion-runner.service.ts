import { Injectable, Logger } from '@nestjs/common';
import { ActiveOperations } from '../../../common/active-operations.js';
import { retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';
import { Metrics } from '../../../infra/metrics/index.js';
import { FileService } from '../../files/index.js';
import { ChunkingStage } from './chunking-stage.js';
import { endAfterFailure, MAX_INGESTION_ATTEMPTS } from './embedding-failure.js';
import { EmbeddingStage } from './embedding-stage.js';
import { type IngestionEnd, IngestionInterruption, type UnfinishedEnd } from './ingestion-end.js';
import { IngestionFinishRepository } from './ingestion-finish.repository.js';
import { IngestionQueue } from './ingestion.queue.js';
import { IngestionRepository } from './ingestion.repository.js';
import type { ClaimedIngestion, IngestionRef, IngestionStage } from './ingestion.js';
import { ReindexService } from './reindex.service.js';

/**
 * Interval at which a claim is renewed, in milliseconds. Clients see it as the heartbeat, and a cancelled or deleted
 * document stops a running call that soon.
 */
const RENEW_MS = 5_000;

/** Time after which an ingestion that is embedding lets others have its place, in milliseconds. */
const SLICE_MS = 15_000;

/** Maximum number of ingestions that one sweep announces. */
const BATCH = 200;

/** Runs ingestions. The result does not depend on which process runs one, or on how often it is notified. */
@Injectable()
export class IngestionRunnerService {
  private readonly logger = new Logger(IngestionRunnerService.name);
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly ingestions: IngestionRepository,
    private readonly finishes: IngestionFinishRepository,
    private readonly queue: IngestionQueue,
    private readonly chunking: ChunkingStage,
    private readonly embedding: EmbeddingStage,
    private readonly reindexes: ReindexService,
    private readonly files: FileService,
    private readonly operations: ActiveOperations,
    private readonly metrics: Metrics,
  ) {}

  /** True once the process is stopping: it claims no more ingestions. */
  get isStopping(): boolean {
    return this.closing.signal.aborted;
  }

  /** Aborts the running attempts and waits until their claims are released: other processes go on at once. */
  async stop(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.running);
  }

  /** Works on an ingestion, if it is due and no other process is working on it. */
  async runIngestion(ref: IngestionRef): Promise<void> {
    if (this.isStopping) return;
    const running = this.claimAndRun(ref);
    this.running.add(running);
    try {
      await running;
    } finally {
      this.running.delete(running);
    }
  }

  /** Announces due ingestions again, in case a notification was lost or the process that had one died. */
  async announceDueIngestions(): Promise<void> {
    if (!this.isStopping) this.queue.announce(await this.ingestions.listDueIngestions(BATCH));
  }

  private async claimAndRun(ref: IngestionRef): Promise<void> {
    const claimed = await this.ingestions.claimIngestion(ref);
    if (claimed === undefined) return;
    const end = await this.attemptIngestion(claimed);
    if (end.type === 'finished') await this.finishOrRelease(claimed);
    else await this.storeEnd(claimed, end);
  }

  /** Never rejects: every attempt has an end. */
  private async attemptIngestion(claimed: ClaimedIngestion): Promise<IngestionEnd> {
    const { id, userId, attempts } = claimed;
    // Each process that attempted it died, without any progress.
    if (attempts > MAX_INGESTION_ATTEMPTS) return DIED_TOO_OFTEN;
    const stopped = new AbortController();
    const stop = (): void => {
      stopped.abort();
    };
    const forget = this.operations.register({ userId, apiKeyId: null }, stop);
    const renewal = this.renewUntilLost(claimed, stop);
    const signal = AbortSignal.any([stopped.signal, this.closing.signal]);
    const begun = performance.now();
    const shouldYield = (): boolean => performance.now() - begun > SLICE_MS;
    try {
      const chunkCount =
        claimed.chunkCount ??
        (await this.measureStage('chunking', () => this.chunking.storeChunks(claimed, signal)));
      if (claimed.embeddingModel !== null)
        await this.measureStage('embedding', () =>
          this.embedding.embedChunks(claimed, chunkCount, { signal, shouldYield }),
        );
      return { type: 'finished' };
    } catch (error) {
      if (error instanceof IngestionInterruption) return error.end;
      if (signal.aborted) return { type: 'released', waitSeconds: 0, counted: false };
      this.logger.warn({ err: error, ingestion: id }, 'an attempt to ingest a document failed');
      return endAfterFailure(error, claimed);
    } finally {
      clearInterval(renewal);
      forget();
    }
  }

  private async measureStage<Result>(stage: IngestionStage, work: () => Promise<Result>): Promise<Result> {
    const begun = performance.now();
    let result = 'finished';
    try {
      return await work();
    } catch (error) {
      const end = error instanceof IngestionInterruption ? error.end : undefined;
      result = end?.type === 'failed' ? end.fault.code : (end?.type ?? 'released');
      throw error;
    } finally {
      this.metrics.ingestionDuration.observe(
        { ingestion_stage: stage, ingestion_result: result },
        (performance.now() - begun) / 1000,
      );
    }
  }

  /** An ingestion that cannot be finished must not be attempted forever either. */
  private async finishOrRelease(claimed: ClaimedIngestion): Promise<void> {
    try {
      await this.finish(claimed);
    } catch (error) {
      this.logger.warn({ err: error, ingestion: claimed.id }, 'could not finish the ingestion of a document');
      await this.storeEnd(claimed, endAfterFailure(error, claimed));
    }
  }

  private async storeEnd(claimed: ClaimedIngestion, end: UnfinishedEnd): Promise<void> {
    switch (end.type) {
      case 'failed':
        this.logger.log(
          { ingestion: claimed.id, code: end.fault.code },
          'the ingestion of a document failed',
        );
        await retryWhileUnavailable(() => this.ingestions.failIngestion(claimed, end.fault, end.usage));
        return;
      case 'released': {
        const isOurs = await retryWhileUnavailable(() => this.ingestions.releaseClaim(claimed, end));
        // While this process is stopping, its job is handed over instead.
        if (isOurs && !this.isStopping) this.queue.announceLater(claimed, end.waitSeconds * 1_000);
        return;
      }
      case 'lost':
        this.logger.log(
          { ingestion: claimed.id },
          'an ingestion is no longer needed, or another process has it',
        );
    }
  }

  private async finish(claimed: ClaimedIngestion): Promise<void> {
    const { status, unreferenced } = await retryWhileUnavailable(() =>
      this.finishes.finishIngestion(claimed),
    );
    // After the commit.
    await this.files.removeUnreferencedBytes(unreferenced);
    if (status === 'visible' && claimed.isBuilding) await this.reindexes.switchIfComplete(claimed);
  }

  /** Renews a claim until it is lost, because the document was cancelled or deleted, or another process has it. */
  private renewUntilLost(claimed: ClaimedIngestion, onLost: () => void): NodeJS.Timeout {
    return setInterval(() => {
      this.ingestions.renewClaim(claimed).then(
        (isOurs) => {
          if (!isOurs) onLost();
        },
        (error: unknown) => {
          this.logger.debug({ err: error }, 'could not renew the claim on an ingestion; will retry');
        },
      );
    }, RENEW_MS).unref();
  }
}

const DIED_TOO_OFTEN: IngestionEnd = {
  type: 'failed',
  fault: {
    code: 'damaged',
    message:
      'The document could not be processed: each attempt ended the process that made it. Upload it in another format, or split it.',
  },
};
