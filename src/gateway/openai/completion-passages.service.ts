import { Injectable } from '@nestjs/common';
import type { AccountAccess } from '../../common/caller.js';
import { maxInputTokens, withPassages } from '../../features/chat/index.js';
import { PASSAGE_INSTRUCTIONS, type PassageBlock, PassageFinder } from '../../features/rag/index.js';
import {
  type CallHandling,
  type ChatMessage,
  type ChatRequest,
  countTokens,
  ModelCatalog,
} from '../../llm/index.js';
import type { CompletionRetrieval } from './completion-retrieval.js';
import { estimateInputTokens } from './estimate-input-tokens.js';

/** Finds the passages for answers that are based on collections. */
@Injectable()
export class CompletionPassagesService {
  constructor(
    private readonly passages: PassageFinder,
    private readonly models: ModelCatalog,
  ) {}

  /**
   * Returns the ids of the collections.
   * @throws NotFoundError if one does not exist, or the account may not read it
   */
  resolveCollections(userId: string, { collections }: CompletionRetrieval): Promise<string[]> {
    return this.passages.resolveCollections(userId, collections);
  }

  /**
   * Returns the passages for a question, as many as fit beside the messages and tools of its request; undefined if none
   * is relevant.
   * @throws AppError as `PassageFinder.findPassages` does
   */
  async findPassages(
    access: AccountAccess,
    { collectionIds, question }: { readonly collectionIds: readonly string[]; readonly question: string },
    request: ChatRequest & { readonly model?: string | undefined },
    { signal, handling }: { readonly signal: AbortSignal; readonly handling: CallHandling },
  ): Promise<PassageBlock | undefined> {
    const model = await this.models.canonicalName(request.model);
    const { tokens: window } = await this.models.contextWindow(model);
    const used = countTokens(PASSAGE_INSTRUCTIONS) + estimateInputTokens(request);
    const maxTokens = maxInputTokens(window, window, request) - used;
    return this.passages.findPassages(
      { access, question, collectionIds, model, maxTokens, handling },
      signal,
    );
  }
}

/**
 * Adds passages to the messages of a request: instructions after its own prompts, and the passages to the question,
 * because they are data.
 */
export function addPassages(messages: readonly ChatMessage[], { text }: PassageBlock): ChatMessage[] {
  const isPrompt = ({ role }: ChatMessage): boolean => role === 'system' || role === 'developer';
  const prompts = messages.slice(
    0,
    messages.findIndex((message) => !isPrompt(message)),
  );
  // Models that know the role `developer` refuse requests with both roles.
  const role = prompts.at(-1)?.role === 'developer' ? 'developer' : 'system';
  const instructions = { role, content: PASSAGE_INSTRUCTIONS } as const;
  return withPassages([...prompts, instructions, ...messages.slice(prompts.length)], text);
}
