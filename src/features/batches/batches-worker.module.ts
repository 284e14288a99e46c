import { Module } from '@nestjs/common';
import { FileCoreModule } from '../files/index.js';
import { UsageModule } from '../usage/index.js';
import { WebhookCoreModule } from '../webhooks/index.js';
import { BatchesCoreModule } from './batches-core.module.js';
import { EndingService } from './ending/ending.service.js';
import { ValidationService } from './input/validation.service.js';
import { BatchSweepRepository } from './rows/batch-sweep.repository.js';
import { ItemClaimRepository } from './rows/item-claim.repository.js';
import { ItemResultRepository } from './rows/item-result.repository.js';
import { StageRepository } from './rows/stage.repository.js';
import { BatchProcessor } from './running/batch.processor.js';
import { BatchRunnerService } from './running/batch-runner.service.js';
import { BatchSweep } from './running/batch-sweep.js';
import { ItemRunnerService } from './running/item-runner.service.js';
import { ResultBuffer } from './running/result-buffer.js';
import { StageRunnerService } from './running/stage-runner.service.js';

/** The jobs of batches, for the process that runs jobs. */
@Module({
  imports: [BatchesCoreModule, FileCoreModule, UsageModule, WebhookCoreModule],
  providers: [
    BatchProcessor,
    BatchRunnerService,
    BatchSweep,
    BatchSweepRepository,
    EndingService,
    ItemClaimRepository,
    ItemResultRepository,
    ItemRunnerService,
    ResultBuffer,
    StageRepository,
    StageRunnerService,
    ValidationService,
  ],
})
export class BatchesWorkerModule {}
