import { Module } from '@nestjs/common';
import { FileCoreModule } from '../files/index.js';
import { BatchEvents } from './batches/batch-events.js';
import { BatchResultsResponder } from './batches/batch-results-responder.js';
import { BatchResultsService } from './batches/batch-results.service.js';
import { BatchSubmissionService } from './batches/batch-submission.service.js';
import { BatchesController } from './batches/batches.controller.js';
import { BatchesCoreModule } from './batches-core.module.js';

/** Batches of our own API. The composition root binds `BatchEndpoints`. */
@Module({
  imports: [BatchesCoreModule, FileCoreModule],
  controllers: [BatchesController],
  providers: [BatchEvents, BatchResultsResponder, BatchResultsService, BatchSubmissionService],
})
export class BatchesModule {}
