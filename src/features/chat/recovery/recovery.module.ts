import { Module } from '@nestjs/common';
import { PricesModule } from '../../../llm/index.js';
import { UsageModule } from '../../usage/index.js';
import { AnswerLog } from '../streams/answer-log.js';
import { ActiveGenerations } from './active-generations.js';
import { RecoveryRepository } from './recovery.repository.js';
import { RecoveryService } from './recovery.service.js';

/** Ends turns of processes that are gone, for the API and the worker. */
@Module({
  imports: [PricesModule, UsageModule],
  providers: [AnswerLog, RecoveryRepository, RecoveryService, ActiveGenerations],
  exports: [AnswerLog, RecoveryService, ActiveGenerations],
})
export class RecoveryModule {}
