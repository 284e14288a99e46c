import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/index.js';
import { type ChatMessage, countTokens, LlmService } from '../../llm/index.js';
import { ContextRepository, TOKENS_PER_MESSAGE } from './context.repository.js';
import type { Turn } from './turn.js';

/** Tokens that an answer keeps for itself where nobody bounded it: so many, and never more than a part of the window. */
const ANSWER_TOKENS = 4_096;
const ANSWER_PART = 1 / 4;

/** What a model is told in a turn. */
export interface Context {
  readonly messages: ChatMessage[];
  /** By our count; what the provider counts may differ. */
  readonly tokens: number;
}

/** Chooses what of a conversation a model is told. Nothing is ever deleted by it. */
@Injectable()
export class ContextService {
  constructor(
    private readonly repository: ContextRepository,
    private readonly llm: LlmService,
    private readonly config: AppConfig,
  ) {}

  /**
   * The system prompt, then as many of the newest messages up to the question as the model's window and the limits
   * allow. A question that alone is more is told all the same: the provider says what is wrong with it.
   * @throws AppError as `LlmService.contextWindow` does
   */
  async build(turn: Turn): Promise<Context> {
    const { maxMessages } = this.config.context;
    const maxTokens = await this.inputTokens(turn);
    const systemTokens = turn.systemPrompt === null ? 0 : countTokens(turn.systemPrompt) + TOKENS_PER_MESSAGE;
    const path = await this.repository.path({
      userId: turn.userId,
      messageId: turn.parentId,
      maxTokens: Math.max(0, maxTokens - systemTokens),
      maxMessages,
    });
    // An answer without its question says nothing, and some providers refuse it.
    const history = path.slice(
      Math.max(
        0,
        path.findIndex(({ role }) => role === 'user'),
      ),
    );
    const system: ChatMessage[] =
      turn.systemPrompt === null ? [] : [{ role: 'system', content: turn.systemPrompt }];
    return {
      messages: [...system, ...history.map(({ role, content }): ChatMessage => ({ role, content }))],
      tokens: history.reduce((sum, { tokenCount }) => sum + tokenCount + TOKENS_PER_MESSAGE, systemTokens),
    };
  }

  /** Tokens that a model may be told: what its window has beside the answer, and no more than the configuration says. */
  private async inputTokens({ model, options }: Turn): Promise<number> {
    const { tokens } = await this.llm.contextWindow(model);
    const answer = options.maxTokens ?? Math.min(ANSWER_TOKENS, Math.floor(tokens * ANSWER_PART));
    return Math.min(this.config.context.maxTokens, Math.max(0, tokens - answer));
  }
}
