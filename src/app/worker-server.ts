import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { INestApplicationContext } from '@nestjs/common';
import type { AppConfig } from '../config/index.js';
import { ShutdownState } from '../common/shutdown-state.js';
import { PrismaService, SchemaVersion } from '../infra/database/index.js';
import {
  decideMetricsAccess,
  Metrics,
  METRICS_DISABLED,
  METRICS_REFUSED,
  type MetricsAccessRules,
} from '../infra/metrics/index.js';
import { RedisConnection } from '../infra/redis/index.js';
import { toListenError } from './listen-error.js';

/** Maximum time to receive a request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 5_000;

/** A response of the server. */
interface Reply {
  readonly status: number;
  /** JSON, unless it is the text of the metrics. */
  readonly body: object | string;
}

/**
 * The HTTP server of a worker process, for monitoring only. It is not a Nest application: a worker has no routes, and
 * nothing that a caller sends is read beyond the path and the token. It listens before the worker's application is
 * created, so that a port in use is found before any job is run.
 */
export class WorkerServer {
  private constructor(
    private readonly server: Server,
    private readonly probes: WorkerProbes,
    /** Address that it listens on. */
    readonly url: string,
  ) {}

  /**
   * Starts to listen. The worker is not ready until `serve` is called.
   * @throws ConfigError if it cannot listen there
   */
  static async listen({
    workerPort: port,
    http: { host },
    metrics: rules,
    version,
  }: AppConfig): Promise<WorkerServer> {
    const probes = new WorkerProbes(rules, version);
    const server = createServer((request, response) => {
      void probes.answer(request, response);
    });
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.headersTimeout = REQUEST_TIMEOUT_MS;
    server.listen(port, host);
    await once(server, 'listening').catch((error: unknown) => {
      throw toListenError(error, 'WORKER_PORT', { port, host });
    });
    const address = server.address();
    const listening = typeof address === 'object' && address !== null ? address.port : port;
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${String(listening)}`;
    return new WorkerServer(server, probes, url);
  }

  /** Serves the state of the worker's application from now on. */
  serve(app: INestApplicationContext): void {
    this.probes.sources = {
      metrics: app.get(Metrics),
      database: app.get(PrismaService),
      schema: app.get(SchemaVersion),
      redis: app.get(RedisConnection),
      shutdown: app.get(ShutdownState),
    };
  }

  /** Stops listening and closes all connections: a probe that is cut off is repeated. */
  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** Sources of the state of a worker. */
interface Sources {
  readonly metrics: Metrics;
  readonly database: PrismaService;
  readonly schema: SchemaVersion;
  readonly redis: RedisConnection;
  readonly shutdown: ShutdownState;
}

/** Answers the requests of a worker's server. */
class WorkerProbes {
  /** Undefined while the worker starts. */
  sources: Sources | undefined;

  constructor(
    private readonly rules: MetricsAccessRules,
    private readonly version: string,
  ) {}

  /** Answers a request. Never rejects: nothing handles a rejection here, which would end the process. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body } = await this.replyTo(request).catch((): Reply => {
      return { status: 500, body: { error: { code: 'internal_error', message: 'Something went wrong.' } } };
    });
    const isText = typeof body === 'string';
    response.writeHead(status, {
      'Content-Type': isText ? Metrics.contentType : 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end(isText ? body : JSON.stringify(body));
  }

  private async replyTo({ method, url = '', headers }: IncomingMessage): Promise<Reply> {
    const [path] = url.split('?', 1);
    if (method !== 'GET' && method !== 'HEAD') return refusal(404, 'not_found', NO_ROUTE);
    if (path === '/health/live') return { status: 200, body: { status: 'ok' } };
    if (path !== '/metrics' && path !== '/health' && path !== '/health/ready') {
      return refusal(404, 'not_found', NO_ROUTE);
    }
    const { sources } = this;
    if (sources === undefined) return refusal(503, 'service_unavailable', 'The worker is starting.');
    if (path === '/metrics') return this.scrape(sources, headers.authorization);
    return path === '/health' ? this.overall(sources) : this.ready(sources);
  }

  private async scrape({ metrics }: Sources, authorization: string | undefined): Promise<Reply> {
    const access = decideMetricsAccess(this.rules, authorization);
    if (access === 'disabled') return refusal(404, 'not_found', METRICS_DISABLED);
    if (access === 'refused') return refusal(401, 'unauthorized', METRICS_REFUSED);
    return { status: 200, body: await metrics.export() };
  }

  private async overall(sources: Sources): Promise<Reply> {
    const { database, redis } = await stateOf(sources);
    const status = database === 'ok' && redis === 'ok' ? 'ok' : 'unavailable';
    return { status: 200, body: { status, version: this.version, database, redis } };
  }

  private async ready({ schema, redis, shutdown }: Sources): Promise<Reply> {
    if (shutdown.isRequested) return refusal(503, 'service_unavailable', 'The worker is shutting down.');
    const [problem, redisAnswers] = await Promise.all([schema.findProblem(), redis.isReachable()]);
    if (problem !== undefined) return refusal(503, 'service_unavailable', problem);
    if (!redisAnswers) return refusal(503, 'service_unavailable', 'Redis is unavailable; no jobs are run.');
    return { status: 200, body: { status: 'ok' } };
  }
}

const NO_ROUTE = 'A worker serves only GET /metrics, /health, /health/live and /health/ready.';

async function stateOf({ database, redis }: Sources) {
  const [databaseAnswers, redisAnswers] = await Promise.all([database.isReachable(), redis.isReachable()]);
  return { database: nameOf(databaseAnswers), redis: nameOf(redisAnswers) };
}

function nameOf(isReachable: boolean): 'ok' | 'unavailable' {
  return isReachable ? 'ok' : 'unavailable';
}

function refusal(status: number, code: string, message: string): Reply {
  return { status, body: { error: { code, message } } };
}
