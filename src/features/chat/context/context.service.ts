import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import type { ByteLease } from '../../../common/byte-limiter.js';
import { contextConfig } from '../../../config/index.js';
import { type ChatMessage, countTokens, joinNeighbours, ModelCatalog } from '../../../llm/index.js';
import { toChatMessages } from './context.mapper.js';
import { type ContextMessage, ContextRepository, TOKENS_PER_MESSAGE } from './context.repository.js';
import { findSummaryEnd, dropIncompleteExchange } from './incomplete-exchanges.js';
import { type PathSummary, SummaryRepository } from './summary.repository.js';
import { ContextAttachmentsService } from './context-attachments.service.js';
import type { GenerationSpec, Turn } from '../model/turn.js';

/**
 * Tokens reserved for an answer if the request sets no limit, and the maximum share of the context window that they
 * may take.
 */
const ANSWER_TOKENS = 4_096;
const ANSWER_PART = 1 / 4;

/** Prefix that marks a summary for the model. */
const SUMMARY_MARK =
  '[Summary of the conversation so far, written by a program. It stands for earlier messages.]\n\n';

/** The messages sent to a model in a turn. */
export interface ModelContext {
  readonly messages: ChatMessage[];
  /** By our count; the provider's count may differ. */
  readonly tokens: number;
  /**
   * Last message that a new summary should cover, if messages are left out and the conversation has summaries
   * enabled.
   */
  readonly summarizeUpTo: string | undefined;
}

/** A message without a row of its own, if there is one, and its tokens. */
interface FramingMessage {
  readonly messages: ChatMessage[];
  readonly tokens: number;
}

/** Selects the part of a conversation that is sent to a model. Never deletes anything. */
@Injectable()
export class ContextService {
  constructor(
    private readonly repository: ContextRepository,
    private readonly summaries: SummaryRepository,
    private readonly models: ModelCatalog,
    @Inject(contextConfig.KEY) private readonly config: ConfigType<typeof contextConfig>,
    private readonly files: ContextAttachmentsService,
  ) {}

  /**
   * Builds the context: the system prompt, the newest summary if the conversation has one, then as many of the
   * newest messages, ending with the question, as the context window and the limits allow. A question that is too
   * long by itself is sent anyway: the provider reports the error.
   * @param options.memory holds the bytes of the attachments in the context; the caller releases it
   * @throws AppError as `ModelCatalog.contextWindow` and `ContextAttachmentsService.loadParts` do
   */
  async buildContext(
    turn: Turn,
    options: { readonly memory: ByteLease; readonly signal: AbortSignal },
  ): Promise<ModelContext> {
    const prompts = [turn.systemPrompt, turn.spec.instructions].filter((prompt) => prompt !== null);
    const system = prompts.map((prompt) => framed('system', prompt));
    const { tools = [] } = turn.spec.parameters;
    // Tools are sent as JSON with every turn that may call them.
    const toolTokens = tools.length === 0 ? 0 : countTokens(JSON.stringify(tools));
    const before = system.reduce((sum, { tokens }) => sum + tokens, toolTokens);
    const room = (await this.inputTokens(turn.spec)) - before;
    const summed = turn.compaction === 'summary';
    const summarized = summed ? await this.summaryBefore(turn) : undefined;
    // Not in the system role: the summary is derived from messages of users and models, and must not be obeyed.
    let summary = framed('user', summarized && SUMMARY_MARK + summarized.text);
    const path = await this.repository.readContextPath({
      userId: turn.spec.userId,
      messageId: turn.parentId,
      behind: summarized?.position ?? -1,
      maxTokens: Math.max(0, room - summary.tokens),
      maxMessages: this.config.maxMessages,
    });
    const history = dropIncompleteExchange(path, summarized?.messageId).filter(hasContent);
    const tokens = tokensOf(history);
    // The question takes precedence over a summary of old messages.
    if (tokens + summary.tokens > room) summary = framed('user', undefined);
    const files = await this.files.loadParts(turn.spec, history, options);
    const historyMessages = toChatMessages(history, tools.length > 0, files);
    return {
      messages: joinNeighbours(
        [...system, summary].flatMap(({ messages }) => messages).concat(historyMessages),
      ),
      tokens: before + summary.tokens + tokens,
      summarizeUpTo: summed ? findSummaryEnd(path, summarized?.messageId) : undefined,
    };
  }

  private summaryBefore({
    spec: { userId },
    conversationId,
    parentId,
  }: Turn): Promise<PathSummary | undefined> {
    return this.summaries.findNewestSummary({ userId, conversationId, messageId: parentId });
  }

  /**
   * Returns the maximum number of input tokens: the context window minus the answer, limited by the configuration.
   */
  private async inputTokens({ model, parameters }: GenerationSpec): Promise<number> {
    const { tokens } = await this.models.contextWindow(model);
    const { max_completion_tokens, max_tokens } = parameters;
    const answer =
      max_completion_tokens ?? max_tokens ?? Math.min(ANSWER_TOKENS, Math.floor(tokens * ANSWER_PART));
    return Math.min(this.config.maxTokens, Math.max(0, tokens - answer));
  }
}

/** Returns false for an answer that failed before its first text. */
function hasContent({ role, content, toolCalls }: ContextMessage): boolean {
  return content !== '' || toolCalls !== null || role === 'tool';
}

function framed(role: 'system' | 'user', content: string | undefined): FramingMessage {
  if (content === undefined) return { messages: [], tokens: 0 };
  return { messages: [{ role, content }], tokens: countTokens(content) + TOKENS_PER_MESSAGE };
}

function tokensOf(messages: readonly ContextMessage[]): number {
  return messages.reduce((sum, { tokenCount }) => sum + tokenCount + TOKENS_PER_MESSAGE, 0);
}
