import { type DynamicModule, Module } from '@nestjs/common';
import { AccessWatchModule } from '../features/auth/index.js';
import { CoreModule } from './core.module.js';
import { JobsModule } from './jobs.module.js';
import { BindingsModule } from './bindings.module.js';
import type { Runtime } from './runtime.js';

/**
 * Root module of the worker process. It calls models too, so like the API it stops operations of accounts whose
 * access is revoked.
 */
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
