import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

/**
 * Stored format: version (1 byte), id of the encryption key (4), nonce (12), tag (16), ciphertext. The nonce is
 * random: a key would have to encrypt billions of times before two nonces are likely to be equal.
 */
const VERSION = 1;
const ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + ID_BYTES;
const OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

const ALGORITHM = 'aes-256-gcm';

/** The owner of a secret. A ciphertext that is moved to another row cannot be decrypted there. */
export interface SecretOwner {
  readonly userId: string;
  /** Provider or id of the row that the secret belongs to. */
  readonly subject: string;
}

/** The kinds of secrets: each has a key of its own, so that the ciphertext of one is none of the other. */
const PURPOSES = {
  'provider keys': 'parley provider keys',
  'webhook secrets': 'parley webhook secrets',
} as const;

/** Keys of a cipher. */
export interface SecretCipherOptions {
  readonly purpose: keyof typeof PURPOSES;
  readonly key: string;
  /** Key that only decrypts. */
  readonly previousKey: string | undefined;
}

/** Reports stored bytes that cannot be decrypted: their encryption key is gone, or they were moved or damaged. */
export class UnreadableSecretError extends Error {
  override readonly name = 'UnreadableSecretError';
}

interface DerivedKey {
  readonly id: Buffer;
  readonly secret: Uint8Array;
}

/** Encrypts with the current key; decrypts with it or the previous one. AES-256-GCM, keys by HKDF-SHA-256. */
export class SecretCipher {
  private readonly current: DerivedKey;
  private readonly previous: DerivedKey | undefined;

  constructor({ purpose, key, previousKey }: SecretCipherOptions) {
    this.current = derive(key, purpose);
    this.previous = previousKey === undefined ? undefined : derive(previousKey, purpose);
  }

  encrypt(secret: string, belonging: SecretOwner): Uint8Array<ArrayBuffer> {
    const header = Buffer.concat([Buffer.of(VERSION), this.current.id]);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.current.secret, nonce).setAAD(boundTo(header, belonging));
    const encrypted = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return new Uint8Array(Buffer.concat([header, nonce, cipher.getAuthTag(), encrypted]));
  }

  /**
   * Decrypts a secret.
   * @returns the secret, and whether it should be re-encrypted because it used the previous key
   * @throws UnreadableSecretError
   */
  decrypt(
    stored: Uint8Array,
    belonging: SecretOwner,
  ): { readonly secret: string; readonly outdated: boolean } {
    const bytes = Buffer.from(stored);
    const header = bytes.subarray(0, HEADER_BYTES);
    if (bytes.length < OVERHEAD_BYTES || header[0] !== VERSION) throw unreadable('its format is unknown');
    const key = [this.current, this.previous].find((one) => one?.id.equals(header.subarray(1)));
    if (key === undefined) throw unreadable('the ENCRYPTION_KEY that encrypted it is no longer set');
    const nonce = bytes.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
    const tag = bytes.subarray(HEADER_BYTES + NONCE_BYTES, OVERHEAD_BYTES);
    const decipher = createDecipheriv(ALGORITHM, key.secret, nonce, { authTagLength: TAG_BYTES })
      .setAAD(boundTo(header, belonging))
      .setAuthTag(tag);
    try {
      const secret = Buffer.concat([decipher.update(bytes.subarray(OVERHEAD_BYTES)), decipher.final()]);
      return { secret: secret.toString('utf8'), outdated: key !== this.current };
    } catch {
      throw unreadable('it was modified or belongs to another record');
    }
  }
}

function derive(key: string, purpose: keyof typeof PURPOSES): DerivedKey {
  const secret = new Uint8Array(hkdfSync('sha256', key, '', PURPOSES[purpose], 32));
  return { secret, id: createHash('sha256').update(secret).digest().subarray(0, ID_BYTES) };
}

function boundTo(header: Buffer, { userId, subject }: SecretOwner): Buffer {
  return Buffer.concat([header, Buffer.from(`${userId}\0${subject}`)]);
}

function unreadable(reason: string): UnreadableSecretError {
  return new UnreadableSecretError(`A stored secret cannot be decrypted: ${reason}.`);
}
