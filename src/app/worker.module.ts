import { type DynamicModule, Module } from '@nestjs/common';
import { AccessWatchModule } from '../features/auth/index.js';
import { CoreModule } from './core.module.js';
import { JobsModule } from './jobs.module.js';
import { BindingsModule } from './bindings.module.js';
import type { Runtime } from './runtime.js';

/** The worker process. It asks models too, and so stops for accounts that are shut out as the API does. */
@Module({})
export class WorkerModule {
  static forRoot(runtime: Runtime): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        CoreModule.forRoot(runtime),
        { module: BindingsModule, global: true },
        AccessWatchModule,
        JobsModule,
      ],
    };
  }
}
