import { Injectable, Logger } from '@nestjs/common';
import { EndingService } from '../ending/ending.service.js';
import { ValidationService } from '../input/validation.service.js';
import { type ClaimedStage, StageLostError } from '../model/batch-stage.js';
import { StageRepository } from '../rows/stage.repository.js';

/** Number of batches that a process validates or ends at once. */
const CONCURRENCY = 2;

/** Delays after a failed attempt: twice as long after each, in seconds. */
const RETRY_SECONDS = { first: 1, longest: 60 } as const;

/** Validates and ends batches. Any process may continue what another one began. */
@Injectable()
export class StageRunnerService {
  private readonly logger = new Logger(StageRunnerService.name);
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<unknown>>();
  /** Number of wake-ups. */
  private wakeUps = 0;

  constructor(
    private readonly stages: StageRepository,
    private readonly validation: ValidationService,
    private readonly ending: EndingService,
  ) {}

  /**
   * Works on batches that are due until there are none.
   * @param onProgress called after each one
   */
  async runStages(onProgress: () => void): Promise<void> {
    this.wakeUps += 1;
    while (this.running.size < CONCURRENCY && !this.closing.signal.aborted) {
      const { wakeUps } = this;
      // From before the claim on, so that many wake-ups at once do not claim more than this.
      const run = this.runNextStage();
      this.running.add(run);
      const hasRun = await run.finally(() => this.running.delete(run));
      if (hasRun) onProgress();
      // One that came during the claim may be about a batch that the claim did not see.
      else if (wakeUps === this.wakeUps) return;
    }
  }

  /** Aborts the running stages and waits until they are released: other processes begin them anew at once. */
  async stop(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.running);
  }

  /**
   * Claims a stage and works on it.
   * @returns whether there was one
   */
  private async runNextStage(): Promise<boolean> {
    const stage = await this.stages.claimStage();
    if (stage === undefined) return false;
    await this.runStage(stage);
    return true;
  }

  /** Never rejects. */
  private async runStage(stage: ClaimedStage): Promise<void> {
    const { signal } = this.closing;
    const { endStatus } = stage;
    try {
      if (endStatus === undefined) await this.validation.validateBatch(stage, signal);
      else await this.ending.endBatch({ ...stage, endStatus }, signal);
    } catch (error) {
      // Cancelled, deleted, or continued by another process.
      if (error instanceof StageLostError) return;
      if (!signal.aborted)
        this.logger.warn({ err: error, batch: stage.id }, 'could not validate or end a batch; will retry');
      const seconds = RETRY_SECONDS.first * 2 ** Math.min(stage.attempts - 1, 10);
      const released = signal.aborted
        ? this.stages.returnStage(stage)
        : this.stages.retryStage(stage, Math.min(seconds, RETRY_SECONDS.longest));
      await released.catch(() => undefined);
    }
  }
}
