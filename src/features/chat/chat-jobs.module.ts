import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { TURNS_QUEUE } from './chat.jobs.js';
import { ChatProcessor } from './chat.processor.js';
import { RecoveryModule } from './recovery.module.js';

/** The jobs of turns, for whichever process runs jobs. */
@Module({
  imports: [RecoveryModule, BullModule.registerQueue({ name: TURNS_QUEUE })],
  providers: [ChatProcessor],
})
export class ChatJobsModule {}
