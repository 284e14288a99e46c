import type { Transaction } from '../../infra/database/index.js';

/**
 * Port: the files that are deleted together with another one, because what they were created for is deleted with it. The
 * composition root binds it.
 */
export abstract class DependentFileRepository {
  /** Locks a file and those that depend on it, and returns the ids of the latter. */
  abstract lockDependentFiles(
    transaction: Transaction,
    userId: string,
    fileId: string,
  ): Promise<readonly string[]>;

  /** Returns those of the files that nothing but their owner refers to. */
  abstract selectUnusedFiles(
    transaction: Transaction,
    userId: string,
    ids: readonly string[],
  ): Promise<readonly string[]>;
}

/** For processes in which nothing is created from files. */
export const NO_DEPENDENT_FILES: DependentFileRepository = {
  lockDependentFiles: () => Promise.resolve([]),
  selectUnusedFiles: () => Promise.resolve([]),
};
