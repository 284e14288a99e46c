import { limit, optionalUsd, optionalWholeNumber } from './setting.js';

/** The settings of rate limits and quotas, which accounts and API keys may override. */
export const LIMIT_SETTINGS = {
  RATE_LIMIT_IP_RPM: limit(120, 'Maximum requests per minute without valid credentials, per client address'),
  RATE_LIMIT_RPM: limit(300, 'Maximum requests per minute, per user and per API key'),
  RATE_LIMIT_MODEL_RPM: limit(60, 'Maximum requests per minute that call a model, per user and per API key'),
  RATE_LIMIT_TPM: limit(
    200_000,
    'Maximum tokens per minute, requests and answers together, per user and per API key',
  ),
  RATE_LIMIT_CONCURRENCY: limit(8, 'Maximum answers generated at once, per user and per API key'),
  QUOTA_TOKENS_DAY: optionalWholeNumber({
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    description: 'Maximum tokens per user and day (UTC)',
  }),
  QUOTA_COST_MONTH_USD: optionalUsd({
    max: 1_000_000_000,
    description: 'Maximum model cost per user and month (UTC), in US dollars',
  }),
};
