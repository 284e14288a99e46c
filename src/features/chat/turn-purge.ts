import { Injectable } from '@nestjs/common';
import { TurnRunner } from './turn-runner.js';

/** What an account that is deleted leaves running here. Its rows go with it. */
@Injectable()
export class TurnPurge {
  constructor(private readonly runner: TurnRunner) {}

  /** Stops the turns of the account and waits until none writes any more. */
  purge(userId: string): Promise<void> {
    return this.runner.abandonUser(userId);
  }
}
