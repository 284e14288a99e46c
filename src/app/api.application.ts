import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import { ApiModule } from './api.module.js';
import { ConfigError } from '../config/index.js';
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
import { StartLogger } from '../infra/telemetry/index.js';
import type { Runtime } from './runtime.js';
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

  private constructor(
    private readonly app: NestExpressApplication,
    private readonly shutdownGate: ShutdownGate,
    private readonly closer: ApplicationCloser,
  ) {}

  /** Creates the application. If no other process can be running, ends the answers left by a dead one. */
  static async create(runtime: Runtime): Promise<ApiApplication> {
    const { version, http } = runtime.config;
    const { maxUploadMb, trustProxy, corsOrigins } = http;
    const app = await NestFactory.create<NestExpressApplication>(
      ApiModule.forRoot(runtime),
      new TimeoutExpressAdapter(connectionLimits(maxUploadMb)),
      { bodyParser: false, abortOnError: false, logger: new StartLogger(runtime.logger) },
    );
    const errorFormats = app.get(ErrorFormats);
    const shutdownGate = new ShutdownGate(errorFormats);
    const clientErrors = new ClientErrorHandler(errorFormats, runtime.logger);
    clientErrors.listenTo(app.getHttpServer());
    configureHttp(app, {
      version,
      logger: runtime.logger,
      shutdownGate,
      clientErrors,
      authenticator: app.get(Authenticator),
      maxUploadMb,
      trustProxy,
      corsOrigins,
      rateLimits: app.get(RateLimitStorage),
      errorFormats: errorFormats,
    });
    const closer = new ApplicationCloser(app);
    await app.init();
    if (runtime.config.redisUrl === undefined)
      await app.get(RecoveryService, { strict: false }).recoverAnswers('all');
    return new ApiApplication(app, shutdownGate, closer);
  }

  /**
   * Starts to listen.
   * @returns the address it listens on
   * @throws ConfigError if it cannot listen there
   */
  async listen(port: number, host: string): Promise<string> {
    await this.app.listen(port, host).catch((error: unknown) => {
      throw cannotListen(error, port, host);
    });
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

  /** Stores running answers as interrupted instead of waiting for them. */
  forceShutdown(): void {
    void this.activeGenerations.interrupt(() => true);
  }

  /**
   * Stops accepting requests, lets running answers finish or stores them, then closes everything that it opened. A
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
    this.shutdownGate.close();
    const { activeGenerations } = this;
    await this.closer.run('running answers', () => activeGenerations.drain(DRAIN_MS));
    await this.closer.run('followed answers', () => {
      this.app.get(AnswerService, { strict: false }).disconnectFollowers();
    });
    await this.closer.run('the HTTP server', () => this.closeServer());
    // A request in progress when the shutdown gate closed may have begun a turn after all.
    await this.closer.run('running answers', () => activeGenerations.drain(0));
    await this.closer.close();
  }

  private async closeServer(): Promise<void> {
    const server = this.app.getHttpServer();
    const closed = new Promise<null>((resolve) => server.close(() => resolve(null)));
    const cut = setTimeout(() => server.closeAllConnections(), CONNECTION_GRACE_MS);
    await closed;
    clearTimeout(cut);
  }
}

function cannotListen(error: unknown, port: number, host: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new ConfigError(
      `PORT ${port} on ${host} is already in use. Set PORT to another port, or stop the process that uses it.`,
    );
  }
  if (code === 'EACCES')
    return new ConfigError(`PORT must be a port that this user may listen on; ${port} is not.`);
  if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL' || code === 'EAI_AGAIN') {
    return new ConfigError(`HOST must be an address of this machine; "${host}" is not.`);
  }
  return error;
}
