import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/index.js';
import { type ChatMessage, countTokens } from '../../llm/index.js';
import { toChatMessages } from './context.mapper.js';
import { ContextRepository, TOKENS_PER_MESSAGE } from './context.repository.js';
import { ToldFilesService } from './told-files.service.js';
import type { Turn } from './turn.js';

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
    private readonly config: AppConfig,
    private readonly files: ToldFilesService,
  ) {}

  /** The system prompt, then as many of the newest messages up to the question as the limits allow. */
  async build(turn: Turn): Promise<Context> {
    const { maxTokens, maxMessages } = this.config.context;
    const prompts = [turn.systemPrompt, turn.instructions].filter((prompt) => prompt !== null);
    const systemTokens = prompts.reduce((sum, prompt) => sum + countTokens(prompt) + TOKENS_PER_MESSAGE, 0);
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
    const withTools = (turn.parameters.tools ?? []).length > 0;
    const system = prompts.map((content): ChatMessage => ({ role: 'system', content }));
    return {
      messages: [...system, ...toChatMessages(history, withTools, await this.files.partsOf(turn, history))],
      tokens: history.reduce((sum, { tokenCount }) => sum + tokenCount + TOKENS_PER_MESSAGE, systemTokens),
    };
  }
}
