import { Injectable } from '@nestjs/common';
import type { AccountAccess } from '../../../common/caller.js';
import { newId } from '../../../common/ids.js';
import { LlmService } from '../../../llm/index.js';

/** Embeds the queries of searches. */
export abstract class QueryEmbedder {
  /**
   * Returns the vector of a query by a model.
   * @throws AppError as `LlmService.embed` does
   */
  abstract embedQuery(
    caller: AccountAccess,
    query: { readonly query: string; readonly model: string },
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
    { query, model }: { readonly query: string; readonly model: string },
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
      // Vectors of different models cannot be compared.
      allowFallback: false,
    });
    return vectors[0] ?? [];
  }
}
