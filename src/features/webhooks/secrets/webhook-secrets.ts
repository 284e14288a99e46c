import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { SecretCipher } from '../../../common/secret-cipher.js';
import { encryptionConfig } from '../../../config/index.js';

/** The webhook that a secret belongs to. */
export interface WebhookRef {
  readonly id: string;
  readonly userId: string;
}

/** Encrypts the secrets of webhooks for storage. They are decrypted only to sign deliveries. */
@Injectable()
export class WebhookSecrets {
  private readonly cipher: SecretCipher;

  constructor(@Inject(encryptionConfig.KEY) config: ConfigType<typeof encryptionConfig>) {
    this.cipher = new SecretCipher({ ...config, purpose: 'webhook secrets' });
  }

  encryptSecret(secret: string, { id, userId }: WebhookRef): Uint8Array<ArrayBuffer> {
    return this.cipher.encrypt(secret, { userId, subject: id });
  }

  /**
   * Decrypts a secret.
   * @returns the secret, and whether it should be re-encrypted because it used the previous key
   * @throws UnreadableSecretError
   */
  decryptSecret(
    ciphertext: Uint8Array,
    { id, userId }: WebhookRef,
  ): { readonly secret: string; readonly outdated: boolean } {
    return this.cipher.decrypt(ciphertext, { userId, subject: id });
  }
}
