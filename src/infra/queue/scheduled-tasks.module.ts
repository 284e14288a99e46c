import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { registerQueue } from './register-queue.js';
import { SCHEDULED_TASKS, SCHEDULED_TASKS_QUEUE, type ScheduledTask } from './scheduled-task.js';
import { ScheduledTaskProcessor } from './scheduled-task.processor.js';

/** Runs scheduled tasks in this process. */
@Module({})
export class ScheduledTasksModule {
  /** @param options.imports modules that export the tasks */
  static forRoot(options: {
    readonly imports: Type[];
    readonly tasks: Type<ScheduledTask>[];
  }): DynamicModule {
    return {
      module: ScheduledTasksModule,
      imports: [registerQueue(SCHEDULED_TASKS_QUEUE), ...options.imports],
      providers: [
        {
          provide: SCHEDULED_TASKS,
          inject: options.tasks,
          useFactory: (...tasks: ScheduledTask[]): readonly ScheduledTask[] => tasks,
        },
        ScheduledTaskProcessor,
      ],
    };
  }
}
