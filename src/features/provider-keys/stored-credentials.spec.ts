import { beforeEach, describe, expect, it } from '@jest/globals';
import { Clock } from '../../common/clock.js';
import { SecretCipher } from '../../common/secret-cipher.js';
import { PrismaService } from '../../infra/database/index.js';
import { ProviderKeyRepository } from './provider-key.repository.js';
import { StoredCredentials } from './stored-credentials.js';

const CURRENT = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const PREVIOUS = 'uRi7oKq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9';
const ADA = { userId: 'ada', subject: 'openai' };
const TTL_MS = 5_000;
const CAPACITY = 10_000;

const config = { key: CURRENT, previousKey: PREVIOUS };
const encrypted = (secret: string, key: string) =>
  new SecretCipher({ purpose: 'provider keys', key, previousKey: undefined }).encrypt(secret, ADA);

/** Never connected: Prisma connects with the first query. */
const nowhere = new PrismaService({ connectionString: 'postgresql://127.0.0.1:1/none', poolMax: 1 });

/** An in-memory repository with one key, which belongs to Ada. */
class MemoryKeys extends ProviderKeyRepository {
  stored: Uint8Array<ArrayBuffer> | undefined;
  isReadable = true;
  isWritable = true;
  reads = 0;

  constructor() {
    super(nowhere);
  }

  override findCiphertext(userId: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.reads += 1;
    if (!this.isReadable) return Promise.reject(new Error('The database is away.'));
    return Promise.resolve(userId === ADA.userId ? this.stored : undefined);
  }

  override replaceCiphertext(
    _userId: string,
    _provider: string,
    { to }: { readonly to: Uint8Array<ArrayBuffer> },
  ): Promise<void> {
    if (!this.isWritable) return Promise.reject(new Error('The database is away.'));
    this.stored = to;
    return Promise.resolve();
  }
}

class SetClock extends Clock {
  /** Never 0, which lru-cache takes for an entry without a time. */
  time = 1;

  override now(): number {
    return this.time;
  }
}

let keys: MemoryKeys;
let clock: SetClock;
let credentials: StoredCredentials;

beforeEach(() => {
  [keys, clock] = [new MemoryKeys(), new SetClock()];
  credentials = new StoredCredentials(keys, clock, config);
});

const credentialOf = (userId: string) => credentials.credentialFor(userId, ADA.subject);

describe('StoredCredentials', () => {
  it('reads a key again only after its cache entry has expired, or when it was changed', async () => {
    keys.stored = encrypted('first', CURRENT);
    expect([await credentialOf('ada'), await credentialOf('ada'), keys.reads]).toEqual(['first', 'first', 1]);
    keys.stored = encrypted('second', CURRENT);
    clock.time += TTL_MS + 1;
    expect(await credentialOf('ada')).toBe('second');
    keys.stored = undefined;
    credentials.forget('ada', ADA.subject);
    expect(await credentialOf('ada')).toBeUndefined();
  });

  it('reads a key again after the database was unavailable', async () => {
    keys.stored = encrypted('first', CURRENT);
    keys.isReadable = false;
    await expect(credentialOf('ada')).rejects.toThrow('The database is away.');
    keys.isReadable = true;
    expect(await credentialOf('ada')).toBe('first');
  });

  it('keeps a cached key if an earlier read fails after a later one began', async () => {
    keys.stored = encrypted('first', CURRENT);
    keys.isReadable = false;
    const failed = expect(credentialOf('ada')).rejects.toThrow('The database is away.');
    keys.isReadable = true;
    credentials.forget('ada', ADA.subject);
    expect(await credentialOf('ada')).toBe('first');
    await failed;
    expect([await credentialOf('ada'), keys.reads]).toEqual(['first', 2]);
  });

  it('re-encrypts a key that was encrypted with the previous encryption key', async () => {
    keys.stored = encrypted('first', PREVIOUS);
    expect(await credentialOf('ada')).toBe('first');
    const current = new SecretCipher({ purpose: 'provider keys', key: CURRENT, previousKey: undefined });
    expect(current.decrypt(keys.stored, ADA).secret).toBe('first');
  });

  it('uses a key although it could not be re-encrypted', async () => {
    const stored = encrypted('first', PREVIOUS);
    Object.assign(keys, { stored, isWritable: false });
    expect(await credentialOf('ada')).toBe('first');
    expect(keys.stored).toBe(stored);
  });

  it("reports a key that cannot be decrypted instead of silently using the server's key", async () => {
    keys.stored = new Uint8Array([9]);
    await expect(credentialOf('ada')).rejects.toMatchObject({
      code: 'provider_unavailable',
      message: expect.stringContaining('PUT /api/v1/provider-keys/openai'),
    });
  });

  it('reads a key again after its cache entry was evicted', async () => {
    await credentialOf('ada');
    for (let count = 0; count < CAPACITY; count += 1) await credentialOf(`user ${count}`);
    const { reads } = keys;
    await credentialOf('ada');
    expect(keys.reads).toBe(reads + 1);
  });
});
