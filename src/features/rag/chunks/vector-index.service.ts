import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { PeriodicTask } from '../../../common/periodic-task.js';
import { VectorIndexRepository } from './vector-index.repository.js';

/** Times of the check for missing indexes, in milliseconds. */
const CHECK_MS = { firstAfterMs: 2_000, everyMs: 30_000 } as const;

/** Builds the indexes of pgvector in a process that runs jobs, if the database has or may have pgvector. */
@Injectable()
export class VectorIndexService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(VectorIndexService.name);
  /** False if the database has no pgvector; undefined until it has been asked. */
  private isInstalled: boolean | undefined;
  private readonly check = new PeriodicTask({
    ...CHECK_MS,
    run: (signal) => this.buildMissingIndexes(signal),
    onError: (error) => {
      this.logger.warn(
        { err: error },
        'could not build an index for vector search; the next check will retry',
      );
    },
  });

  constructor(private readonly indexes: VectorIndexRepository) {}

  onApplicationBootstrap(): void {
    this.check.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.check.stop();
  }

  /** Builds the index of each dimension that has enough vectors, unless it is valid. */
  async buildMissingIndexes(signal: AbortSignal): Promise<void> {
    this.isInstalled ??= await this.install();
    if (!this.isInstalled) return;
    const large = await this.indexes.listLargeDimensions();
    if (large.length === 0) return;
    const built = new Set(
      (await this.indexes.listIndexes()).flatMap(({ isValid, dimensions }) => (isValid ? [dimensions] : [])),
    );
    for (const dimensions of large) {
      if (signal.aborted) return;
      if (!built.has(dimensions)) await this.build(dimensions, signal);
    }
  }

  private async build(dimensions: number, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    try {
      if (!(await this.indexes.buildIndex(dimensions, signal))) return;
    } catch (error) {
      // The build is cancelled when the process stops; the next process drops what is left and builds again.
      if (signal.aborted) return;
      throw error;
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    this.logger.log({ dimensions, seconds }, 'built an index for vector search');
  }

  /** @returns false if the server does not have pgvector, or the role may not install it */
  private async install(): Promise<boolean> {
    try {
      await this.indexes.installExtension();
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.logger.log(
        { reason: error.message },
        'the database has no pgvector; vectors are searched by their signs',
      );
      return false;
    }
  }
}

/** SQLSTATE codes of a server that lacks the extension, or a role that may not install it. */
const REFUSALS = new Set(['0A000', '58P01', '42501', '42704', '22023']);

function isRefusal(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && REFUSALS.has(String(error.code));
}
