import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { registerQueue } from '../../../infra/queue/index.js';
import { FileTextRepository } from './file-text.repository.js';
import { TextQueue } from './text.queue.js';
import { TEXTS_QUEUE } from './text.jobs.js';

/** Providers that the API and the worker share: the rows of texts, and the queue that announces them. */
@Module({
  imports: [registerQueue(TEXTS_QUEUE)],
  providers: [FileTextRepository, TextQueue],
  exports: [BullModule, FileTextRepository, TextQueue],
})
export class FileTextCoreModule {}
