import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import { ApiModule } from './api.module.js';
import { ConfigError } from '../config/index.js';
import { AnswerService, RecoveryService, TurnRunner } from '../features/chat/index.js';
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
import { LlmService, type ProviderHealth } from '../llm/index.js';
import { StartLogger } from '../infra/telemetry/index.js';
import type { Runtime } from './runtime.js';
import { ApplicationCloser } from './application-closer.js';

/** How long running answers may go on after the process was told to stop, in milliseconds. */
const DRAIN_MS = 15_000;

/** How long connections may stay after that, in milliseconds. */
const CONNECTION_GRACE_MS = 2_000;

/** What an operator wants to know of the models. */
export interface ModelFacts {
  readonly providers: readonly ProviderHealth[];
  /** The full name of the default model, or why there is none. */
  readonly defaultModel: string;
}

/** The API, ready to listen. */
export class ApiApplication {
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly app: NestExpressApplication,
    private readonly shutdownGate: ShutdownGate,
    private readonly closer: ApplicationCloser,
  ) {}

  /** Makes the application. Where no other process can be running, ends the answers that a dead one left. */
  static async create(runtime: Runtime): Promise<ApiApplication> {
    const { version, http } = runtime.config;
    const { maxUploadMb, trustProxy, corsOrigins } = http;
    const app = await NestFactory.create<NestExpressApplication>(
      ApiModule.forRoot(runtime),
      new TimeoutExpressAdapter(connectionLimits(maxUploadMb)),
      { bodyParser: false, abortOnError: false, logger: new StartLogger(runtime.logger) },
    );
    const wires = app.get(ErrorFormats);
    const shutdownGate = new ShutdownGate(wires);
    const clientErrors = new ClientErrorHandler(wires, runtime.logger);
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
      wires,
    });
    const closer = new ApplicationCloser(app);
    await app.init();
    if (runtime.config.redisUrl === undefined)
      await app.get(RecoveryService, { strict: false }).recover('all');
    return new ApiApplication(app, shutdownGate, closer);
  }

  /**
   * @returns the address it listens on
   * @throws ConfigError where it cannot listen there
   */
  async listen(port: number, host: string): Promise<string> {
    await this.app.listen(port, host).catch((error: unknown) => {
      throw cannotListen(error, port, host);
    });
    this.app.useLogger(this.app.get(Logger));
    return (await this.app.getUrl()).replace('[::1]', 'localhost');
  }

  /** What an operator wants to know of the models: who has them, and which is asked where none is named. */
  async modelFacts(): Promise<ModelFacts> {
    const llm = this.app.get(LlmService, { strict: false });
    const defaultModel = llm.resolve(undefined).then(
      ({ name }) => name,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    return { providers: await llm.health(), defaultModel: await defaultModel };
  }

  /** Stores running answers as interrupted instead of waiting for them. */
  forceShutdown(): void {
    this.app.get(TurnRunner, { strict: false }).interruptAll();
  }

  /**
   * Takes no more requests, lets running answers finish or stores them, then closes everything it made. A step that fails
   * keeps no other from being done.
   * @throws Error if one failed, after all of them; the same for every call
   */
  close(): Promise<void> {
    return (this.closing ??= this.closeAll());
  }

  private async closeAll(): Promise<void> {
    this.shutdownGate.close();
    const turns = this.app.get(TurnRunner, { strict: false });
    await this.closer.run('running answers', () => turns.drain(DRAIN_MS));
    await this.closer.run('followed answers', () => {
      this.app.get(AnswerService, { strict: false }).dismissFollowers();
    });
    await this.closer.run('the HTTP server', () => this.closeServer());
    // A request that was being looked at when the shutdownGate closed may have begun a turn after all.
    await this.closer.run('running answers', () => turns.drain(0));
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
      `PORT must be free; ${port} on ${host} is in use. Set PORT to another one, or end what uses it.`,
    );
  }
  if (code === 'EACCES')
    return new ConfigError(`PORT must be one that this user may listen on; ${port} is not.`);
  if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL' || code === 'EAI_AGAIN') {
    return new ConfigError(`HOST must be an address of this machine; "${host}" is not.`);
  }
  return error;
}
