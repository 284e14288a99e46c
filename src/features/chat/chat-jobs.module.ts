import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { PricesModule } from '../../llm/index.js';
import { UsageModule } from '../usage/index.js';
import { TURNS_QUEUE } from './chat.jobs.js';
import { ChatProcessor } from './chat.processor.js';
import { RecoveryRepository } from './recovery.repository.js';
import { RecoveryService } from './recovery.service.js';

/** The jobs of turns, for whichever process runs jobs. */
@Module({
  imports: [PricesModule, UsageModule, BullModule.registerQueue({ name: TURNS_QUEUE })],
  providers: [RecoveryRepository, RecoveryService, ChatProcessor],
  exports: [RecoveryService],
})
export class ChatJobsModule {}
