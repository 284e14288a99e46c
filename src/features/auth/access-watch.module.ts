import { Module } from '@nestjs/common';
import { AccessWatch } from './access-watch.js';
import { SessionRepository } from './session.repository.js';

/** Stops the operations of accounts whose access is revoked, in every process that runs any. */
@Module({ providers: [AccessWatch, SessionRepository], exports: [SessionRepository] })
export class AccessWatchModule {}
