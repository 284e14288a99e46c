import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { Actor } from '../../common/actor.js';
import type { AccountCredential } from '../../common/caller.js';
import { Clock } from '../../common/clock.js';
import { isId } from '../../common/ids.js';
import { AuditService } from '../audit/index.js';
import { SessionRepository } from '../auth/index.js';

/** Lifetime of a session of the dashboard, in seconds. */
export const DASHBOARD_SESSION_SECONDS = 600;

/** Audience of its tokens, which keeps them and access tokens apart. */
export const DASHBOARD_AUDIENCE = 'parley-queue-dashboard';

/** A new session of the dashboard. */
export interface DashboardSession {
  readonly token: string;
  readonly expiresAt: Date;
}

/**
 * Opens and verifies sessions of the dashboard: signed tokens (JWT, HS256; algorithm, issuer and audience are pinned by the
 * module). A session ends with the credential that opened it.
 */
@Injectable()
export class DashboardSessionService {
  constructor(
    private readonly jwt: JwtService,
    private readonly sessions: SessionRepository,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** Opens a session for an admin. */
  async open(actor: Actor, { userId, sessionId, apiKeyId }: AccountCredential): Promise<DashboardSession> {
    const iat = this.seconds();
    const token = await this.jwt.signAsync({ iat, sid: sessionId, kid: apiKeyId }, { subject: userId });
    const subject = sessionId ?? apiKeyId;
    await this.audit.record('queue_dashboard.opened', {
      actor,
      userId,
      ...(subject !== null && { subject }),
    });
    return { token, expiresAt: new Date((iat + DASHBOARD_SESSION_SECONDS) * 1000) };
  }

  /**
   * Returns the credential that opened a session; undefined if the token is expired, tampered with or not ours, or if the
   * credential no longer gives access. Asks the database each time, so that a logout or a demotion takes effect at once.
   */
  async findCredential(token: string): Promise<AccountCredential | undefined> {
    const claims = await this.jwt
      .verifyAsync<object>(token, { clockTimestamp: this.seconds() })
      .catch(() => undefined);
    const userId = idIn(claims, 'sub');
    if (userId === undefined) return undefined;
    const credential = {
      userId,
      sessionId: idIn(claims, 'sid') ?? null,
      apiKeyId: idIn(claims, 'kid') ?? null,
    };
    return (await this.sessions.hasAdminAccess(credential)) ? credential : undefined;
  }

  private seconds(): number {
    return Math.floor(this.clock.now() / 1000);
  }
}

function idIn(claims: unknown, name: string): string | undefined {
  const value: unknown =
    typeof claims === 'object' && claims !== null ? Reflect.get(claims, name) : undefined;
  return typeof value === 'string' && isId(value) ? value : undefined;
}
