export { BufferedUsageSink } from './buffered-usage-sink.js';
export { UsageApiModule } from './usage-api.module.js';
export { UsageModule } from './usage.module.js';
export {
  serializeUsage,
  toUsageRow,
  type UsageOwner,
  UsageRepository,
  type UsageSum,
} from './usage.repository.js';
