import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { PrismaService } from '../../infra/database/index.js';

/** A stored provider key, without the key itself. */
export interface ProviderKeyEntry {
  readonly provider: string;
  readonly hint: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

type Bytes = Uint8Array<ArrayBuffer>;

const SHOWN = { provider: true, hint: true, createdAt: true, updatedAt: true } as const;

/** Stores users' own provider keys, encrypted. Every method filters by owner. */
@Injectable()
export class ProviderKeyRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Stores a key, replacing an existing one. */
  storeKey(key: {
    userId: string;
    provider: string;
    ciphertext: Bytes;
    hint: string;
  }): Promise<ProviderKeyEntry> {
    const { userId, provider, ciphertext, hint } = key;
    return this.prisma.run((client) =>
      client.providerKey.upsert({
        where: { userId_provider: { userId, provider } },
        create: { ...key, id: newId() },
        update: { ciphertext, hint, updatedAt: new Date() },
        select: SHOWN,
      }),
    );
  }

  listProviderKeys(userId: string): Promise<ProviderKeyEntry[]> {
    return this.prisma.run((client) =>
      client.providerKey.findMany({ where: { userId }, orderBy: { provider: 'asc' }, select: SHOWN }),
    );
  }

  findProviderKey(userId: string, provider: string): Promise<ProviderKeyEntry | null> {
    return this.prisma.run((client) =>
      client.providerKey.findUnique({ where: { userId_provider: { userId, provider } }, select: SHOWN }),
    );
  }

  /** @returns whether the key existed */
  async delete(userId: string, provider: string): Promise<boolean> {
    const { count } = await this.prisma.run((client) =>
      client.providerKey.deleteMany({ where: { userId, provider } }),
    );
    return count === 1;
  }

  /** Returns the encrypted key. */
  async findCiphertext(userId: string, provider: string): Promise<Bytes | undefined> {
    const row = await this.prisma.run((client) =>
      client.providerKey.findUnique({
        where: { userId_provider: { userId, provider } },
        select: { ciphertext: true },
      }),
    );
    return row?.ciphertext;
  }

  /** Stores the same key with a new encryption, unless the key was replaced in the meantime. */
  async replaceCiphertext(
    userId: string,
    provider: string,
    change: { from: Bytes; to: Bytes },
  ): Promise<void> {
    await this.prisma.run((client) =>
      client.providerKey.updateMany({
        where: { userId, provider, ciphertext: change.from },
        data: { ciphertext: change.to },
      }),
    );
  }
}
