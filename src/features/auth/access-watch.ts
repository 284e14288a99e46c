import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ACCESS_CHANNEL, parseAccessChange } from '../../common/access-change.js';
import { ActiveOperations } from '../../common/active-operations.js';
import { Broadcast } from '../../infra/redis/index.js';
import { SessionRepository } from './session.repository.js';

/** Interval at which to check that the accounts and keys of running operations still have access, in milliseconds. */
const CHECK_INTERVAL_MS = 2_000;

/**
 * Stops the operations of an account or key whose access is revoked: immediately when notified, and by polling in
 * case the notification is lost, for example while Redis is unavailable.
 */
@Injectable()
export class AccessWatch implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(AccessWatch.name);
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly operations: ActiveOperations,
    private readonly sessions: SessionRepository,
    broadcast: Broadcast,
  ) {
    broadcast.subscribe(ACCESS_CHANNEL, (message) => {
      const change = parseAccessChange(message);
      if (change?.kind === 'revoked') this.operations.stop(change);
    });
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.looking ??= this.checkAccess().finally(() => {
        this.looking = undefined;
      });
    }, CHECK_INTERVAL_MS);
    this.timer.unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  /** Checks for revoked access. Never rejects: if the database is unavailable, the next check retries. */
  async checkAccess(): Promise<void> {
    const callers = this.operations.callers();
    if (callers.length === 0) return;
    try {
      const { users, apiKeys } = await this.sessions.findRevokedAccess(
        callers.map(({ userId }) => userId),
        callers.flatMap(({ apiKeyId }) => apiKeyId ?? []),
      );
      for (const userId of users) this.operations.stop({ userId });
      for (const apiKeyId of apiKeys) this.operations.stop({ apiKeyId });
    } catch (error) {
      this.logger.warn({ err: error }, 'could not check for revoked accounts and keys; will retry');
    }
  }
}
