import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { SWEEP_INTERVAL_MS } from './chat.jobs.js';
import { RecoveryService } from './recovery.service.js';

/**
 * Sweeps in each API process as well as by the job, which goes to one process alone: that one may be the one that has
 * lost the database. A sweep may run anywhere and any number of times.
 */
@Injectable()
export class SweepTimer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Turns');
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly recovery: RecoveryService) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.recovery.recover('expired').catch((error: unknown) => {
        this.logger.warn({ err: error }, 'a sweep failed; the next one comes by itself');
      });
    }, SWEEP_INTERVAL_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }
}
