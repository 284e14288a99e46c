import type { PartLease } from './part-memory.js';

/** Size of the parts of an upload, in bytes: the least that S3 accepts. */
export const PART_BYTES = 5 * 2 ** 20;

/** Bytes of a part that an upload may have in memory without a lease. */
export const FREE_BYTES = 65_536;

/** Received bytes of one part of an upload. */
export class UploadPart {
  private buffer = Buffer.alloc(0);
  private size = 0;
  private lease: PartLease | undefined;

  /** Aborts when the part was received too slowly; undefined without a lease. */
  get revoked(): AbortSignal | undefined {
    return this.lease?.revoked;
  }

  get length(): number {
    return this.size;
  }

  get content(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }

  /** Bytes that it can have. */
  get capacity(): number {
    return this.lease?.bytes ?? FREE_BYTES;
  }

  get isFull(): boolean {
    return this.size === PART_BYTES;
  }

  /** Returns true if as many more bytes need a lease that the part does not have. */
  needsLease(bytes: number): boolean {
    return this.lease === undefined && this.size + bytes > FREE_BYTES;
  }

  /** Takes over a lease. */
  useLease(lease: PartLease): void {
    this.lease = lease;
  }

  /**
   * Copies as much of a piece as there is room for, and returns the rest. The piece itself is not retained: it belongs
   * to a larger buffer.
   */
  add(piece: Uint8Array): Uint8Array {
    if (this.buffer.length < this.size + piece.length && this.buffer.length < this.capacity) {
      // Not filled with zeros, so that the system provides the memory only as bytes arrive.
      const larger = Buffer.allocUnsafeSlow(this.capacity);
      larger.set(this.content);
      this.buffer = larger;
    }
    const taken = piece.subarray(0, this.buffer.length - this.size);
    this.buffer.set(taken, this.size);
    this.size += taken.length;
    return piece.subarray(taken.length);
  }

  /** Notes that the part is complete and about to be sent. */
  endReceiving(): void {
    this.lease?.endReceiving();
  }

  /** Frees the bytes. Idempotent. */
  release(): void {
    this.buffer = Buffer.alloc(0);
    this.size = 0;
    this.lease?.release();
    this.lease = undefined;
  }
}
