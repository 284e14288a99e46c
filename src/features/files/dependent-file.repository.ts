import type { Transaction } from '../../infra/database/index.js';

/** A file of an account. */
export interface OwnedFile {
  readonly userId: string;
  readonly id: string;
}

/**
 * Port: the files that are deleted together with another one, because what they were created for is deleted with it. The
 * composition root binds it.
 */
export abstract class DependentFileRepository {
  /** Locks files and those that depend on them, and returns the latter. */
  abstract lockDependentFiles(
    transaction: Transaction,
    files: readonly OwnedFile[],
  ): Promise<readonly OwnedFile[]>;

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
