import cluster from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import { ShutdownState } from '../common/shutdown-state.js';
import { ApiModule } from './api.module.js';
import { ActiveGenerations, AnswerService, RecoveryService } from '../features/chat/index.js';
import {
  Authenticator,
  ClientErrorHandler,
  configureHttp,
  connectionLimits,
  ErrorFormats,
  ShutdownGate,
  TimeoutExpressAdapter,
  RateLimitStorage,
} from '../http/index.js';
import { ModelCatalog, type ProviderHealth } from '../llm/index.js';
import { Metrics } from '../infra/metrics/index.js';
import { StartLogger } from '../infra/telemetry/index.js';
import type { Runtime } from './runtime.js';
import { toListenError } from './listen-error.js';
import { exchangeMetrics } from './metrics-exchange.js';
import { exportRuntimeMetrics } from './runtime-metrics.js';
import { ApplicationCloser } from './application-closer.js';

/** Maximum time for running answers to finish after a shutdown was requested, in milliseconds. */
const DRAIN_MS = 15_000;

/** Maximum time for connections to close after that, in milliseconds. */
const CONNECTION_GRACE_MS = 2_000;

/** Information about the models for the operator. */
export interface ModelSummary {
  readonly providers: readonly ProviderHealth[];
  /** Full name of the default model, or the reason why there is none. */
  readonly defaultModel: string;
}

/** The API application, ready to listen. */
export class ApiApplication {
  private closing: Promise<void> | undefined;

  private readonly shutdownIsForced = Promise.withResolvers<undefined>();
  private isListening = false;

  private constructor(
    private readonly app: NestExpressApplication,
    private readonly options: {
      readonly shutdownGate: ShutdownGate;
      readonly closer: ApplicationCloser;
      readonly shutdownDelayMs: number;
    },
  ) {}

  /** Creates the application. If no other process can be running, ends the answers left by a dead one. */
  static async create(runtime: Runtime): Promise<ApiApplication> {
    const { version, http, files } = runtime.config;
    const { maxUploadMb, trustProxy, corsOrigins, shutdownDelayMs } = http;
    const maxFileMb = Math.max(maxUploadMb, files.maxBatchInputMb);
    const app = await NestFactory.create<NestExpressApplication>(
      ApiModule.forRoot(runtime),
      new TimeoutExpressAdapter(connectionLimits(maxFileMb)),
      { bodyParser: false, abortOnError: false, logger: new StartLogger(runtime.logger) },
    );
    const errorFormats = app.get(ErrorFormats);
    const shutdownGate = new ShutdownGate(errorFormats);
    const clientErrors = new ClientErrorHandler(errorFormats, runtime.logger);
    clientErrors.listenTo(app.getHttpServer());
    configureHttp(app, {
      version,
      logger: runtime.logger,
      metrics: app.get(Metrics),
      shutdownGate,
      clientErrors,
      authenticator: app.get(Authenticator),
      maxUploadMb,
      maxFileMb,
      trustProxy,
      corsOrigins,
      rateLimits: app.get(RateLimitStorage),
      errorFormats: errorFormats,
    });
    const closer = new ApplicationCloser(app);
    await app.init();
    exportRuntimeMetrics(app);
    if (cluster.isWorker) exchangeMetrics(app.get(Metrics));
    if (runtime.config.redisUrl === undefined)
      await app.get(RecoveryService, { strict: false }).recoverAnswers('all');
    return new ApiApplication(app, { shutdownGate, closer, shutdownDelayMs });
  }

  /**
   * Starts to listen.
   * @returns the address it listens on
   * @throws ConfigError if it cannot listen there
   */
  async listen(port: number, host: string): Promise<string> {
    await this.app.listen(port, host).catch((error: unknown) => {
      throw toListenError(error, 'PORT', { port, host });
    });
    this.isListening = true;
    this.app.useLogger(this.app.get(Logger));
    return (await this.app.getUrl()).replace('[::1]', 'localhost');
  }

  /** Returns information for the operator: the providers, and the model used by default. */
  async modelSummary(): Promise<ModelSummary> {
    const models = this.app.get(ModelCatalog, { strict: false });
    const defaultModel = models.resolve(undefined).then(
      ({ name }) => name,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    return { providers: await models.providerHealth(), defaultModel: await defaultModel };
  }

  /** Ends the shutdown delay, or makes a later shutdown begin without one. */
  endShutdownDelay(): void {
    this.shutdownIsForced.resolve(undefined);
  }

  /** Ends the shutdown delay, and stores running answers as interrupted instead of waiting for them. */
  forceShutdown(): void {
    this.endShutdownDelay();
    void this.activeGenerations.interrupt(() => true);
  }

  /**
   * Fails the readiness probe and serves requests for the shutdown delay, so that a proxy can stop sending them. Then
   * stops accepting requests, lets running answers finish or stores them, then closes everything that it opened. A
   * failed step does not prevent the others.
   * @throws Error if a step failed, after all of them; the same for every call
   */
  close(): Promise<void> {
    return (this.closing ??= this.closeAll());
  }

  private get activeGenerations(): ActiveGenerations {
    return this.app.get(ActiveGenerations, { strict: false });
  }

  private async closeAll(): Promise<void> {
    const { shutdownGate, closer } = this.options;
    this.app.get(ShutdownState).request();
    await this.delayShutdown();
    shutdownGate.close();
    const { activeGenerations } = this;
    await closer.run('running answers', () => activeGenerations.drain(DRAIN_MS));
    await closer.run('followed answers', () => {
      this.app.get(AnswerService, { strict: false }).disconnectFollowers();
    });
    await closer.run('the HTTP server', () => this.closeServer());
    // A request in progress when the shutdown gate closed may have begun a turn after all.
    await closer.run('running answers', () => activeGenerations.drain(0));
    await closer.close();
  }

  private async delayShutdown(): Promise<void> {
    const { shutdownDelayMs } = this.options;
    if (!this.isListening || shutdownDelayMs === 0) return;
    const timer = new AbortController();
    await Promise.race([
      delay(shutdownDelayMs, undefined, { signal: timer.signal }),
      this.shutdownIsForced.promise,
    ]);
    timer.abort();
  }

  private async closeServer(): Promise<void> {
    const server = this.app.getHttpServer();
    const closed = new Promise<null>((resolve) => server.close(() => resolve(null)));
    const cut = setTimeout(() => server.closeAllConnections(), CONNECTION_GRACE_MS);
    await closed;
    clearTimeout(cut);
  }
}
