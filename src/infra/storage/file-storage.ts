import type { Readable } from 'node:stream';

/** Where bytes are kept. Both parts are ours, UUIDs for example: nothing that a user has written becomes a key. */
export interface StorageKey {
  /** Whose bytes they are; all bytes of a folder can be deleted together. */
  readonly folder: string;
  readonly name: string;
}

/** Keeps bytes, beside the database, which keeps what they are. */
export abstract class FileStorage {
  /**
   * Keeps bytes under a new key, as they come and never all at once in memory. They are safely stored when it resolves;
   * where the source fails, nothing is left of them and its error is thrown.
   */
  abstract put(key: StorageKey, bytes: AsyncIterable<Uint8Array>): Promise<void>;

  /**
   * Opens bytes for reading. Whoever opens them reads them to the end or destroys the stream.
   * @throws Error where there are none
   */
  abstract open(key: StorageKey): Promise<Readable>;

  /** Deletes bytes. It is no error that there are none. */
  abstract delete(key: StorageKey): Promise<void>;

  /** Deletes all bytes of a folder. It is no error that there are none. */
  abstract deleteFolder(folder: string): Promise<void>;

  /**
   * The keys of bytes that were last written to before a time, in milliseconds since 1970. A folder that cannot be read
   * does not keep those of other folders back.
   * @throws AggregateError after all keys that can be found, where not everything could be read
   */
  abstract keysBefore(time: number): AsyncIterable<StorageKey>;
}
