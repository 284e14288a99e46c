import { Controller, Get, Headers, Inject, Res } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { ApiExcludeController } from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import type { Response } from 'express';
import { AppError } from '../../common/errors.js';
import { metricsConfig } from '../../config/index.js';
import {
  decideMetricsAccess,
  Metrics,
  METRICS_DISABLED,
  METRICS_REFUSED,
} from '../../infra/metrics/index.js';
import { Public } from '../context/route-metadata.js';

/** Serves the metrics to Prometheus. They are not part of the API: the token is that of the operator. */
@Public()
@SkipThrottle()
@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    @Inject(metricsConfig.KEY) private readonly rules: ConfigType<typeof metricsConfig>,
  ) {}

  /** @throws AppError `unauthorized` without the token, `not_found` in production if no token is set */
  @Get()
  async export(
    @Res() response: Response,
    @Headers('authorization') authorization: string | undefined,
  ): Promise<void> {
    const access = decideMetricsAccess(this.rules, authorization);
    if (access === 'disabled') throw new AppError('not_found', METRICS_DISABLED);
    if (access === 'refused') throw new AppError('unauthorized', METRICS_REFUSED);
    const text = await this.metrics.export();
    // Express would add an ETag, which costs a hash of the whole text, and is of no use to a scrape.
    response.setHeader('Content-Type', Metrics.contentType);
    response.end(text);
  }
}
