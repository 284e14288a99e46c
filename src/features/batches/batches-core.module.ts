import { Module } from '@nestjs/common';
import { registerQueue } from '../../infra/queue/index.js';
import { BatchService } from './batches/batch.service.js';
import { BatchItemRepository } from './rows/batch-item.repository.js';
import { BatchRepository } from './rows/batch.repository.js';
import { BATCHES_QUEUE } from './running/batch.jobs.js';
import { BatchQueue } from './running/batch.queue.js';

/** Providers that the API and the worker share: batches, and the queue that announces them. */
@Module({
  imports: [registerQueue(BATCHES_QUEUE)],
  providers: [BatchItemRepository, BatchQueue, BatchRepository, BatchService],
  exports: [BatchItemRepository, BatchQueue, BatchRepository, BatchService],
})
export class BatchesCoreModule {}
