export { CachedQuery } from './cached-query.js';
export {
  decideMetricsAccess,
  METRICS_DISABLED,
  METRICS_REFUSED,
  type MetricsAccessRules,
} from './metrics-access.js';
export { Metrics, type MetricValues, type ProcessMetrics } from './metrics.js';
