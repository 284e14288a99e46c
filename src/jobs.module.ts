import { Module } from '@nestjs/common';
import { ChatJobsModule } from './features/chat/index.js';

/** Everything that runs jobs, for the process that runs them. */
@Module({ imports: [ChatJobsModule] })
export class JobsModule {}
