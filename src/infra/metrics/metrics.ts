import {
  AggregatorRegistry,
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValue,
  register,
  Registry,
} from 'prom-client';
import { type LabelName, METRICS, type MetricDefinition } from './metric-definitions.js';

/** Sets gauges before a scrape. It must be quick; what has to wait belongs into a `CachedQuery`. */
export type Collector = () => void | Promise<void>;

/** The metrics of one process, as values. */
export type MetricValues = readonly MetricObjectWithValues<MetricValue<string>>[];

/** The metrics of one of several API processes. */
export interface ProcessMetrics {
  /** Number of the process, from 1; one that replaces another has the number of that one. */
  readonly process: number;
  readonly values: MetricValues;
}

/** Returns the metrics of all API processes that share the port, given those of this one. */
export type CollectProcesses = (own: MetricValues) => Promise<readonly ProcessMetrics[]>;

/**
 * The metrics of one application. Each application has a registry of its own, so that several can run in one process;
 * the metrics of Node.js and the process belong to all of them.
 */
export class Metrics {
  /** Media type of the exported text. */
  static readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  private readonly registry = new Registry();
  private readonly collectors: Collector[] = [];
  private collectProcesses: CollectProcesses | undefined;

  readonly requestDuration = this.histogram(METRICS.requestDuration);
  readonly activeRequests = this.gauge(METRICS.activeRequests);
  readonly operationDuration = this.histogram(METRICS.operationDuration);
  readonly timeToFirstToken = this.histogram(METRICS.timeToFirstToken);
  readonly tokenUsage = this.histogram(METRICS.tokenUsage);
  readonly tokens = this.counter(METRICS.tokens);
  readonly cost = this.counter(METRICS.cost);
  readonly attempts = this.counter(METRICS.attempts);
  readonly retries = this.counter(METRICS.retries);
  readonly fallbacks = this.counter(METRICS.fallbacks);
  readonly rejectedAttempts = this.counter(METRICS.rejectedAttempts);
  readonly circuitState = this.gauge(METRICS.circuitState);
  readonly openCircuits = this.gauge(METRICS.openCircuits);
  readonly runningCalls = this.gauge(METRICS.runningCalls);
  readonly waitingCalls = this.gauge(METRICS.waitingCalls);
  readonly concurrencyLimit = this.gauge(METRICS.concurrencyLimit);
  readonly queueLimit = this.gauge(METRICS.queueLimit);
  readonly runningGenerations = this.gauge(METRICS.runningGenerations);
  readonly cacheLookups = this.counter(METRICS.cacheLookups);
  readonly limitRejections = this.counter(METRICS.limitRejections);
  readonly jobs = this.gauge(METRICS.jobs);
  readonly finishedJobs = this.counter(METRICS.finishedJobs);
  readonly extractionDuration = this.histogram(METRICS.extractionDuration);
  readonly ingestionDuration = this.histogram(METRICS.ingestionDuration);
  readonly embeddedChunks = this.counter(METRICS.embeddedChunks);
  readonly webhookDeliveryDuration = this.histogram(METRICS.webhookDeliveryDuration);
  readonly searchLegDuration = this.histogram(METRICS.searchLegDuration);
  readonly databaseConnections = this.gauge(METRICS.databaseConnections);
  readonly databaseConnectionLimit = this.gauge(METRICS.databaseConnectionLimit);
  readonly databasePending = this.gauge(METRICS.databasePending);
  readonly redisConnected = this.gauge(METRICS.redisConnected);
  readonly collectorUp = this.gauge(METRICS.collectorUp);
  private readonly buildInfo = this.gauge(METRICS.buildInfo);

  /** @param version version of Parley */
  constructor(version: string) {
    // Observes from now on, and not from the first scrape.
    processRegistry();
    this.buildInfo.set({ version, node_version: process.versions.node }, 1);
    for (const result of ['hit', 'miss']) this.cacheLookups.inc({ result }, 0);
  }

  /** Adds a function that is called before each scrape. */
  addCollector(collector: Collector): void {
    this.collectors.push(collector);
  }

  /**
   * Exports the metrics of several processes from now on, because a scrape reaches any of them. Each series has the
   * number of its process as a label, so that the end of one process resets its own counters and no others.
   */
  includeProcesses(collect: CollectProcesses): void {
    this.collectProcesses = collect;
  }

  /** Returns all metrics in Prometheus' text format. A collector that fails does not fail the scrape. */
  async export(): Promise<string> {
    if (this.collectProcesses !== undefined) {
      const processes = await this.collectProcesses(await this.values());
      // Series of different processes are never equal, so there is nothing to add up.
      return AggregatorRegistry.aggregate(processes.map(withProcessLabel)).metrics();
    }
    await this.collect();
    const [own, ofProcess] = await Promise.all([this.registry.metrics(), processRegistry().metrics()]);
    return `${own}\n${ofProcess}`;
  }

  /** Returns the metrics of this process, to be combined with those of others. */
  async values(): Promise<MetricValues> {
    await this.collect();
    const registries = [this.registry, processRegistry()];
    return (await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()))).flat();
  }

  private async collect(): Promise<void> {
    await Promise.allSettled(
      this.collectors.map(async (collect) => {
        await collect();
      }),
    );
  }

  private counter<Label extends LabelName>(definition: MetricDefinition<Label>): Counter<Label> {
    return new Counter(this.optionsOf(definition));
  }

  private gauge<Label extends LabelName>(definition: MetricDefinition<Label>): Gauge<Label> {
    return new Gauge(this.optionsOf(definition));
  }

  private histogram<Label extends LabelName>({
    buckets = [],
    ...definition
  }: MetricDefinition<Label>): Histogram<Label> {
    return new Histogram({ ...this.optionsOf(definition), buckets: [...buckets] });
  }

  private optionsOf<Label extends LabelName>({ name, help, labels }: MetricDefinition<Label>) {
    return { name, help, labelNames: labels, registers: [this.registry] };
  }
}

function withProcessLabel({ process, values }: ProcessMetrics): object[] {
  return values.map((metric) => ({
    ...metric,
    // The default of some metrics is to be left out of a sum, or averaged.
    aggregator: 'sum',
    values: metric.values.map((value) => ({
      ...value,
      labels: { ...value.labels, process: String(process) },
    })),
  }));
}

/** A metric of prom-client that shows that its metrics of the process are registered. */
const PROCESS_METRIC = 'process_cpu_seconds_total';

/**
 * Returns prom-client's own registry, which holds the metrics of Node.js and the process, and nothing else. They exist
 * once for all applications: prom-client never releases the observers that they need.
 */
function processRegistry(): Registry {
  if (register.getSingleMetric(PROCESS_METRIC) === undefined) collectDefaultMetrics({ register });
  return register;
}
