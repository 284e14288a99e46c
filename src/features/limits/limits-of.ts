import { Injectable } from '@nestjs/common';
import { AppConfig, type LimitConfig } from '../../config/index.js';

/** What one account may use. */
export type Limits = Omit<LimitConfig, 'addressRequestsPerMinute'>;

/** Knows what an account may use. Asked with every request, so it must answer from memory most of the time. */
export abstract class LimitsOf {
  abstract of(userId: string): Limits | Promise<Limits>;
}

/** The same for every account: what the configuration says. */
@Injectable()
export class ConfiguredLimits extends LimitsOf {
  constructor(private readonly config: AppConfig) {
    super();
  }

  override of(): Limits {
    return this.config.limits;
  }
}
