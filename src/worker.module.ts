import { type DynamicModule, Module } from '@nestjs/common';
import { InfrastructureModule } from './infrastructure.module.js';
import { JobsModule } from './jobs.module.js';
import type { Runtime } from './runtime.js';

/** The worker process. */
@Module({})
export class WorkerModule {
  static forRoot(runtime: Runtime): DynamicModule {
    return { module: WorkerModule, imports: [InfrastructureModule.forRoot(runtime), JobsModule] };
  }
}
