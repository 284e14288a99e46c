import { Injectable } from '@nestjs/common';
import type { AccountAccess } from '../../../common/caller.js';
import { newId } from '../../../common/ids.js';
import { type CallHandling, LlmService, REQUEST_HANDLING } from '../../../llm/index.js';

/** A query to embed. */
export interface QueryToEmbed {
  readonly query: string;
  readonly model: string;
  /** Default: that of a request. */
  readonly handling?: CallHandling | undefined;
}

/** Embeds the queries of searches. */
export abstract class QueryEmbedder {
  /**
   * Returns the vector of a query by a model.
   * @throws AppError as `LlmService.embed` does
   */
  abstract embedQuery(
    caller: AccountAccess,
    query: QueryToEmbed,
    signal: AbortSignal,
  ): Promise<readonly number[]>;
}

/** Embeds queries with the configured providers. The usage goes to the account that asks. */
@Injectable()
export class ProviderQueryEmbedder extends QueryEmbedder {
  constructor(private readonly llm: LlmService) {
    super();
  }

  override async embedQuery(
    { userId, apiKeyId }: AccountAccess,
    { query, model, handling = REQUEST_HANDLING }: QueryToEmbed,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const { vectors } = await this.llm.embed({
      callId: newId(),
      userId,
      apiKeyId,
      model,
      input: [query],
      dimensions: undefined,
      signal,
      ...handling,
      // Vectors of different models cannot be compared.
      allowFallback: false,
    });
    return vectors[0] ?? [];
  }
}
