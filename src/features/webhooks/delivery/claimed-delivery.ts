/** A delivery that this process is sending. */
export interface ClaimedDelivery {
  readonly id: string;
  readonly userId: string;
  readonly webhookId: string;
  /** Fence of the claim: every write must still hold it. */
  readonly leaseId: string;
  readonly eventId: string;
  readonly url: string;
  /** The bytes to sign and send, as text. */
  readonly body: string;
  /** Number of attempts, including this one. */
  readonly attempts: number;
  readonly ciphertext: Uint8Array<ArrayBuffer>;
  /** Secret before the last rotation; null if it has expired. */
  readonly previousCiphertext: Uint8Array<ArrayBuffer> | null;
}
