import { describe, expect, it } from '@jest/globals';
import { SecretCipher, UnreadableSecretError } from './secret-cipher.js';

const OLD = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
const NEW = 'uRi7oKq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9';
const SECRET = 'sk-proj-0123456789 ümläut';
const OWNER = { userId: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11', subject: 'openai' };

/** A provider key as version 1 of the format stores it. */
const STORED = 'AddvCG3JkfpnTmrdEYsrk9eJBQ8amJRn60XqsZN5SOR4v+9uRyfUPjPUvp07sjeyhDB6DolR6WGEbkKG';

const cipher = new SecretCipher({ purpose: 'provider keys', key: OLD, previousKey: undefined });

describe('SecretCipher', () => {
  it('decrypts its own ciphertext, and encrypts differently each time', () => {
    const [one, two] = [cipher.encrypt(SECRET, OWNER), cipher.encrypt(SECRET, OWNER)];
    expect(one).not.toEqual(two);
    expect(Buffer.from(one).includes('sk-proj')).toBe(false);
    for (const stored of [one, two])
      expect(cipher.decrypt(stored, OWNER)).toEqual({ secret: SECRET, outdated: false });
  });

  it.each([
    ['another user', { ...OWNER, userId: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a12' }],
    ['another provider', { ...OWNER, subject: 'anthropic' }],
  ])('rejects a ciphertext that belongs to %s', (_what, elsewhere) => {
    const stored = cipher.encrypt(SECRET, OWNER);
    expect(() => cipher.decrypt(stored, elsewhere)).toThrow(UnreadableSecretError);
  });

  it('rejects a ciphertext of a secret of another kind', () => {
    const stored = cipher.encrypt(SECRET, OWNER);
    const other = new SecretCipher({ purpose: 'webhook secrets', key: OLD, previousKey: undefined });
    expect(() => other.decrypt(stored, OWNER)).toThrow(UnreadableSecretError);
  });

  it('decrypts what earlier versions have stored', () => {
    const stored = Buffer.from(STORED, 'base64');
    expect(cipher.decrypt(stored, OWNER)).toEqual({ secret: SECRET, outdated: false });
  });

  it('detects any changed byte and any truncation', () => {
    const stored = cipher.encrypt(SECRET, OWNER);
    for (let place = 0; place < stored.length; place += 1) {
      const changed = stored.slice();
      changed[place] = (changed[place] ?? 0) ^ 1;
      expect(() => cipher.decrypt(changed, OWNER)).toThrow(UnreadableSecretError);
      expect(() => cipher.decrypt(stored.slice(0, place), OWNER)).toThrow(UnreadableSecretError);
    }
  });

  it('decrypts with the previous key and reports it as outdated, but not without that key', () => {
    const stored = cipher.encrypt(SECRET, OWNER);
    const rotated = new SecretCipher({ purpose: 'provider keys', key: NEW, previousKey: OLD });
    expect(rotated.decrypt(stored, OWNER)).toEqual({ secret: SECRET, outdated: true });
    expect(rotated.decrypt(rotated.encrypt(SECRET, OWNER), OWNER).outdated).toBe(false);
    const alone = new SecretCipher({ purpose: 'provider keys', key: NEW, previousKey: undefined });
    expect(() => alone.decrypt(stored, OWNER)).toThrow('ENCRYPTION_KEY');
  });
});
