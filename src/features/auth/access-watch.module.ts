import { Module } from '@nestjs/common';
import { AccessWatch } from './access-watch.js';
import { SessionRepository } from './session.repository.js';

/** Stops what runs for accounts that are shut out, in every process that runs something for them. */
@Module({ providers: [AccessWatch, SessionRepository], exports: [SessionRepository] })
export class AccessWatchModule {}
