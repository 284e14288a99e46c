import type { Request } from 'express';
import { toKnownCostUsd } from '../../common/money.js';
import { requestUsageOf } from '../../infra/telemetry/index.js';
import { callerOf } from './principal.js';
import { routeTemplateOf } from './route-template.js';

/** Returns what the log line of a request reports about its sender, its route and its use of models. */
export function requestLogFields(request: Request): Readonly<Record<string, unknown>> {
  const caller = callerOf(request);
  const usage = requestUsageOf(request);
  return {
    route: routeTemplateOf(request),
    ...(caller !== undefined && {
      user_id: caller.userId,
      ...(caller.apiKeyId !== null && { api_key_id: caller.apiKeyId }),
    }),
    ...(usage !== undefined && {
      model: usage.model,
      input_tokens: usage.inputTokens,
      output_tokens: usage.outputTokens,
      cost_usd: toKnownCostUsd(usage.costMicroUsd, usage.unpriced),
    }),
  };
}
