import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import type { ByteLease } from '../../../common/byte-limiter.js';
import { contextConfig } from '../../../config/index.js';
import { type ChatMessage, countTokens, joinNeighbours, LlmService } from '../../../llm/index.js';
import { toChatMessages } from './context.mapper.js';
import { type ContextMessage, ContextRepository, TOKENS_PER_MESSAGE } from './context.repository.js';
import { summarizeUpTo, withoutTornExchange } from './context-trimming.js';
import { type PathSummary, SummaryRepository } from './summary.repository.js';
import { ContextAttachmentsService } from './context-attachments.service.js';
import type { Turn } from '../model/turn.js';

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
    @Inject(contextConfig.KEY) private readonly config: ConfigType<typeof contextConfig>,
    private readonly files: ContextAttachmentsService,
  ) {}

  /**
   * The system prompt, the newest summary where the conversation has one, then as many of the newest messages up to the
   * question as the model's window and the limits allow. A question that alone is more is told all the same: the
   * provider says what is wrong with it.
   * @param options.memory holds the bytes of files that the context has; the caller releases it
   * @throws AppError as `LlmService.contextWindow` and `ContextAttachmentsService.loadParts` do
   */
  async build(
    turn: Turn,
    options: { readonly memory: ByteLease; readonly signal: AbortSignal },
  ): Promise<Context> {
    const prompts = [turn.systemPrompt, turn.instructions].filter((prompt) => prompt !== null);
    const system = prompts.map((prompt) => framed('system', prompt));
    const { tools = [] } = turn.parameters;
    // Tools are told with every turn that may call them, as JSON.
    const toolTokens = tools.length === 0 ? 0 : countTokens(JSON.stringify(tools));
    const before = system.reduce((sum, { tokens }) => sum + tokens, toolTokens);
    const room = (await this.inputTokens(turn)) - before;
    const summed = turn.compaction === 'summary';
    const summarized = summed ? await this.summaryBefore(turn) : undefined;
    // Not in the system role: it was made of what users and models said, and must not be obeyed.
    let summary = framed('user', summarized && SUMMARY_MARK + summarized.text);
    const path = await this.repository.path({
      userId: turn.userId,
      messageId: turn.parentId,
      behind: summarized?.position ?? -1,
      maxTokens: Math.max(0, room - summary.tokens),
      maxMessages: this.config.maxMessages,
    });
    const history = withoutTornExchange(path, summarized?.messageId).filter(saysSomething);
    const tokens = tokensOf(history);
    // The question goes before what was said long ago.
    if (tokens + summary.tokens > room) summary = framed('user', undefined);
    const files = await this.files.loadParts(turn, history, options);
    const told = toChatMessages(history, tools.length > 0, files);
    return {
      messages: joinNeighbours([...system, summary].flatMap(({ messages }) => messages).concat(told)),
      tokens: before + summary.tokens + tokens,
      summarizeUpTo: summed ? summarizeUpTo(path, summarized?.messageId) : undefined,
    };
  }

  private summaryBefore({ userId, conversationId, parentId }: Turn): Promise<PathSummary | undefined> {
    return this.summaries.newestBefore({ userId, conversationId, messageId: parentId });
  }

  /** Tokens that a model may be told: what its window has beside the answer, and no more than the configuration says. */
  private async inputTokens({ model, parameters }: Turn): Promise<number> {
    const { tokens } = await this.llm.contextWindow(model);
    const { max_completion_tokens, max_tokens } = parameters;
    const answer =
      max_completion_tokens ?? max_tokens ?? Math.min(ANSWER_TOKENS, Math.floor(tokens * ANSWER_PART));
    return Math.min(this.config.maxTokens, Math.max(0, tokens - answer));
  }
}

/** An answer that failed before its first word does not. */
function saysSomething({ role, content, toolCalls }: ContextMessage): boolean {
  return content !== '' || toolCalls !== null || role === 'tool';
}

function framed(role: 'system' | 'user', content: string | undefined): Framed {
  if (content === undefined) return { messages: [], tokens: 0 };
  return { messages: [{ role, content }], tokens: countTokens(content) + TOKENS_PER_MESSAGE };
}

function tokensOf(messages: readonly ContextMessage[]): number {
  return messages.reduce((sum, { tokenCount }) => sum + tokenCount + TOKENS_PER_MESSAGE, 0);
}
