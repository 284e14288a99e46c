import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/index.js';
import { type ChatMessage, countTokens, LlmService } from '../../llm/index.js';
import { type ContextMessage, ContextRepository, TOKENS_PER_MESSAGE } from './context.repository.js';
import { summarizeUpTo, withoutTornExchange } from './context-path.js';
import { type PathSummary, SummaryRepository } from './summary.repository.js';
import type { AnswerOptions, Turn } from './turn.js';

/** Tokens that an answer keeps for itself where nobody bounded it: so many, and never more than a part of the window. */
const ANSWER_TOKENS = 4_096;
const ANSWER_PART = 1 / 4;

/** What a summary is told with. */
const SUMMARY_MARK =
  '[Summary of the conversation so far, written by a program. It stands for earlier messages.]\n\n';

/** What a model is told in a turn. */
export interface Context {
  readonly messages: ChatMessage[];
  /** By our count; what the provider counts may differ. */
  readonly tokens: number;
  /** The last message that a new summary shall cover, where messages are left out that shall be summed up. */
  readonly summarizeUpTo: string | undefined;
}

/** A message that stands for no row of its own, where there is one, and what it takes. */
interface Framed {
  readonly messages: ChatMessage[];
  readonly tokens: number;
}

/** Chooses what of a conversation a model is told. Nothing is ever deleted by it. */
@Injectable()
export class ContextService {
  constructor(
    private readonly repository: ContextRepository,
    private readonly summaries: SummaryRepository,
    private readonly llm: LlmService,
    private readonly config: AppConfig,
  ) {}

  /**
   * The system prompt, the newest summary where the conversation has one, then as many of the newest messages up to the
   * question as the model's window and the limits allow. A question that alone is more is told all the same: the
   * provider says what is wrong with it.
   * @throws AppError as `LlmService.contextWindow` does
   */
  async build(turn: Turn): Promise<Context> {
    const system = framed('system', turn.systemPrompt ?? undefined);
    const room = (await this.inputTokens(turn)) - system.tokens - toolTokens(turn.options);
    const summed = turn.compaction === 'summary';
    const before = summed ? await this.summaryBefore(turn) : undefined;
    // Not in the system role: it was made of what users and models said, and must not be obeyed.
    let summary = framed('user', before && SUMMARY_MARK + before.text);
    const path = await this.repository.path({
      userId: turn.userId,
      messageId: turn.parentId,
      behind: before?.position ?? -1,
      maxTokens: Math.max(0, room - summary.tokens),
      maxMessages: this.config.context.maxMessages,
    });
    const history = withoutTornExchange(path, before?.messageId).filter(({ content }) => content !== '');
    const tokens = tokensOf(history);
    // The question goes before what was said long ago.
    if (tokens + summary.tokens > room) summary = framed('user', undefined);
    return {
      messages: [...system.messages, ...summary.messages, ...history.map(toChatMessage)],
      tokens: system.tokens + summary.tokens + tokens,
      summarizeUpTo: summed ? summarizeUpTo(path, before?.messageId) : undefined,
    };
  }

  private summaryBefore({ userId, conversationId, parentId }: Turn): Promise<PathSummary | undefined> {
    return this.summaries.newestBefore({ userId, conversationId, messageId: parentId });
  }

  /** Tokens that a model may be told: what its window has beside the answer, and no more than the configuration says. */
  private async inputTokens({ model, options }: Turn): Promise<number> {
    const { tokens } = await this.llm.contextWindow(model);
    const answer = options.maxTokens ?? Math.min(ANSWER_TOKENS, Math.floor(tokens * ANSWER_PART));
    return Math.min(this.config.context.maxTokens, Math.max(0, tokens - answer));
  }
}

/** A row as a model is told it. */
function toChatMessage({ role, content }: ContextMessage): ChatMessage {
  return role === 'tool' ? { role: 'user', content } : { role, content };
}

/** Tools are told with every turn that may call them, as JSON. */
function toolTokens({ tools = [] }: AnswerOptions & { readonly tools?: readonly unknown[] }): number {
  return tools.length === 0 ? 0 : countTokens(JSON.stringify(tools));
}

function framed(role: 'system' | 'user', content: string | undefined): Framed {
  if (content === undefined) return { messages: [], tokens: 0 };
  return { messages: [{ role, content }], tokens: countTokens(content) + TOKENS_PER_MESSAGE };
}

function tokensOf(messages: readonly ContextMessage[]): number {
  return messages.reduce((sum, { tokenCount }) => sum + tokenCount + TOKENS_PER_MESSAGE, 0);
}
