import { Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../../common/errors.js';
import type { CollectionSlice } from './collection.repository.js';
import { CollectionService } from './collection.service.js';
import { type CollectionShare, CollectionShareRepository } from './collection-share.repository.js';

/** Read-only access of other accounts to collections. */
@Injectable()
export class CollectionShareService {
  constructor(
    private readonly collections: CollectionService,
    private readonly shares: CollectionShareRepository,
  ) {}

  /**
   * Lists the readers of a collection.
   * @throws NotFoundError, ReadOnlyCollectionError
   */
  async listShares(userId: string, reference: string, slice: CollectionSlice): Promise<CollectionShare[]> {
    return this.shares.listShares(await this.ownedBy(userId, reference), slice);
  }

  /**
   * Lets another account read a collection. Doing so again changes nothing.
   * @throws NotFoundError if there is no such collection or account
   * @throws InvalidRequestError if it is the owner's own account
   */
  async share(userId: string, reference: string, readerId: string): Promise<CollectionShare> {
    const collection = await this.ownedBy(userId, reference);
    if (readerId.toLowerCase() === userId) {
      const message = 'user_id must be the id of another account: the collection is your own';
      throw new InvalidRequestError(`${message}.`, [{ field: 'user_id', message }]);
    }
    const share = await this.shares.insertShare(collection, readerId);
    if (share === undefined) throw new NotFoundError('account', readerId);
    return share;
  }

  /**
   * Ends the access of a reader, from the next request on.
   * @throws NotFoundError
   */
  async revokeShare(userId: string, reference: string, readerId: string): Promise<void> {
    const collection = await this.ownedBy(userId, reference);
    if (!(await this.shares.deleteShare(collection, readerId))) throw new NotFoundError('reader', readerId);
  }

  private async ownedBy(
    userId: string,
    reference: string,
  ): Promise<{ readonly collectionId: string; readonly ownerId: string }> {
    const { id } = await this.collections.resolveForWriting(userId, reference);
    return { collectionId: id, ownerId: userId };
  }
}
