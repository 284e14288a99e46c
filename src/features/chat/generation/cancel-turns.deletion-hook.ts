import { Injectable } from '@nestjs/common';
import { TurnRunner } from './turn-runner.js';

/** Stops the turns of an account that is deleted. */
@Injectable()
export class CancelTurnsDeletionHook {
  constructor(private readonly runner: TurnRunner) {}

  /** Aborts the account's turns in this process and resolves when none of them writes any more. */
  stop(userId: string): Promise<void> {
    return this.runner.abandonUser(userId);
  }

  /** Turns leave nothing outside the database. */
  removeData(): Promise<void> {
    return Promise.resolve();
  }
}
