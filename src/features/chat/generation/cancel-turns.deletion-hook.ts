import { Injectable } from '@nestjs/common';
import { ActiveGenerations } from '../recovery/active-generations.js';

/** Stops the turns of an account that is being deleted. */
@Injectable()
export class CancelTurnsDeletionHook {
  constructor(private readonly active: ActiveGenerations) {}

  /** Aborts the account's turns in this process and resolves once none of them is writing any more. */
  stop(userId: string): Promise<void> {
    return this.active.interrupt(({ spec }) => spec.userId === userId);
  }

  /** Does nothing: turns store nothing outside the database. */
  removeData(): Promise<void> {
    return Promise.resolve();
  }
}
