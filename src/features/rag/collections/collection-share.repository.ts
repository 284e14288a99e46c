import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import type { CollectionSlice } from './collection.repository.js';

/** Permission of an account to read a collection. */
export interface CollectionShare {
  /** Id of the reader. */
  readonly id: string;
  readonly createdAt: Date;
}

/** A collection, and the account that must own it. */
interface SharedCollection {
  readonly collectionId: string;
  readonly ownerId: string;
}

/** Stores who may read collections. Every query filters by the owner of the collection. */
@Injectable()
export class CollectionShareRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Lists the readers of a collection, the newest accounts first. */
  listShares(
    { collectionId, ownerId }: SharedCollection,
    { limit, after }: CollectionSlice,
  ): Promise<CollectionShare[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<CollectionShare[]>`
        SELECT shares.user_id AS id, shares.created_at AS "createdAt" FROM collection_shares shares
        WHERE shares.collection_id = ${collectionId}::uuid AND ${isOwnedBy(ownerId)}
          ${after === undefined ? Prisma.empty : Prisma.sql`AND shares.user_id < ${after}::uuid`}
        ORDER BY shares.user_id DESC LIMIT ${limit}`,
    );
  }

  /**
   * Lets an account read a collection.
   * @returns undefined if there is no such account
   */
  insertShare(
    { collectionId, ownerId }: SharedCollection,
    readerId: string,
  ): Promise<CollectionShare | undefined> {
    return this.prisma.transaction(async (transaction) => {
      await transaction.$executeRaw`
        INSERT INTO collection_shares (collection_id, user_id)
        SELECT collections.id, users.id FROM collections, users
        WHERE collections.id = ${collectionId}::uuid AND collections.user_id = ${ownerId}::uuid
          AND collections.deleted_at IS NULL AND users.id = ${readerId}::uuid
        ON CONFLICT DO NOTHING`;
      const [share] = await transaction.$queryRaw<CollectionShare[]>`
        SELECT shares.user_id AS id, shares.created_at AS "createdAt" FROM collection_shares shares
        WHERE shares.collection_id = ${collectionId}::uuid AND ${isOwnedBy(ownerId)}
          AND shares.user_id = ${readerId}::uuid`;
      return share;
    });
  }

  /** @returns false if the account was no reader of the collection */
  async deleteShare({ collectionId, ownerId }: SharedCollection, readerId: string): Promise<boolean> {
    const deleted = await this.prisma.run(
      (client) => client.$executeRaw`
        DELETE FROM collection_shares shares
        WHERE shares.collection_id = ${collectionId}::uuid AND ${isOwnedBy(ownerId)}
          AND shares.user_id = ${readerId}::uuid`,
    );
    return deleted === 1;
  }
}

function isOwnedBy(ownerId: string): Prisma.Sql {
  return Prisma.sql`EXISTS (
    SELECT 1 FROM collections WHERE collections.id = shares.collection_id
      AND collections.user_id = ${ownerId}::uuid AND collections.deleted_at IS NULL)`;
}
