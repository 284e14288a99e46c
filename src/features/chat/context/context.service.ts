import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import type { ByteLease } from '../../../common/byte-limiter.js';
import { contextConfig } from '../../../config/index.js';
import { type ChatMessage, countTokens, joinNeighbors, ModelCatalog } from '../../../llm/index.js';
import { type PassageBlock, PASSAGE_INSTRUCTIONS } from '../../rag/index.js';
import { toChatMessages, withPassages } from './context.mapper.js';
import { type ContextMessage, ContextRepository, TOKENS_PER_MESSAGE } from './context.repository.js';
import { findSummaryEnd, dropIncompleteExchange } from './incomplete-exchanges.js';
import { type PathSummary, SummaryRepository } from './summary.repository.js';
import { ContextAttachmentsService, hasDocument } from './context-attachments.service.js';
import { maxInputTokens } from '../model/input-tokens.js';
import type { OmittedPages } from '../model/omitted-pages.js';
import type { GenerationSpec, OpeningQuestion, Turn } from '../model/turn.js';

/** Share of the room for input that old messages leave to the text of documents. */
const DOCUMENT_PART = 1 / 2;

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
  /** Documents of the context that are not sent in full. */
  readonly omittedPages: readonly OmittedPages[];
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
   * @param options.passages passages for the question, sent before it in the user's role
   * @param options.memory holds the bytes of the attachments in the context; the caller releases it
   * @throws AppError as `ModelCatalog.contextWindow` and `ContextAttachmentsService.loadParts` do
   */
  async buildContext(
    turn: Turn,
    options: {
      readonly memory: ByteLease;
      readonly signal: AbortSignal;
      readonly passages?: PassageBlock | undefined;
    },
  ): Promise<ModelContext> {
    const { passages } = options;
    const { tools = [] } = turn.spec.parameters;
    const system = promptsOf(turn, passages !== undefined);
    const before = fixedTokens(turn, system) + (passages?.tokens ?? 0);
    const room = (await this.inputTokens(turn.spec)) - before;
    const summed = turn.compaction === 'summary';
    const summarized = summed ? await this.summaryBefore(turn) : undefined;
    // Not in the system role: the summary is derived from messages of users and models, and must not be obeyed.
    let summary = framed('user', summarized && SUMMARY_MARK + summarized.text);
    const path = await this.pathTo(turn, summarized, Math.max(0, room - summary.tokens));
    const selected = await this.files.selectFiles(turn.spec, path);
    const forDocuments = Math.min(selected.textTokens, Math.floor(room * DOCUMENT_PART));
    const newest = selectNewest(path, {
      maxTokens: room - summary.tokens,
      forDocuments,
      newestDocument: path.findLastIndex(({ id }) => hasDocument(selected.byMessage.get(id))),
    });
    const history = dropIncompleteExchange(newest, summarized?.messageId).filter(hasContent);
    const tokens = tokensOf(history);
    // The question takes precedence over a summary of old messages.
    if (tokens + summary.tokens > room) summary = framed('user', undefined);
    const maxTextTokens = Math.max(0, room - summary.tokens - tokens);
    const files = await this.files.loadParts(turn.spec.userId, selected, {
      ...options,
      history,
      maxTextTokens,
    });
    const historyMessages = withPassages(
      toChatMessages(history, tools.length > 0, files.partsByMessage),
      passages?.text,
    );
    return {
      messages: joinNeighbors(
        [...system, summary].flatMap(({ messages }) => messages).concat(historyMessages),
      ),
      tokens: before + summary.tokens + tokens + files.textTokens,
      summarizeUpTo: summed ? findSummaryEnd(newest, summarized?.messageId) : undefined,
      omittedPages: files.omittedPages,
    };
  }

  /**
   * Returns the tokens that passages for the question of a turn may have: what the prompts, the tools, and the question
   * with its images and tool calls leave. Earlier messages, and the text of documents, give way to passages.
   * @throws AppError as `ModelCatalog.contextWindow` does
   */
  async readPassageRoom(turn: Turn): Promise<number> {
    const room = (await this.inputTokens(turn.spec)) - fixedTokens(turn, promptsOf(turn, true));
    const path = await this.pathTo(turn, undefined, Math.max(0, room));
    const question = path.slice(
      Math.max(
        0,
        path.findLastIndex(({ role }) => role === 'user'),
      ),
    );
    return room - tokensOf(question);
  }

  private async pathTo(
    { spec: { userId }, parentId, openingQuestion }: Turn,
    summarized: PathSummary | undefined,
    maxTokens: number,
  ): Promise<readonly ContextMessage[]> {
    // A question is always sent, whatever its size, so a new conversation needs no query.
    if (openingQuestion !== undefined) return [toFirstContextMessage(openingQuestion)];
    return this.repository.readContextPath({
      userId,
      messageId: parentId,
      afterPosition: summarized?.position ?? -1,
      maxTokens,
      maxMessages: this.config.maxMessages,
    });
  }

  private async summaryBefore({
    spec: { userId },
    conversationId,
    parentId,
    openingQuestion,
  }: Turn): Promise<PathSummary | undefined> {
    if (openingQuestion !== undefined) return undefined;
    return this.summaries.findNewestSummary({ userId, conversationId, messageId: parentId });
  }

  private async inputTokens({ model, parameters }: GenerationSpec): Promise<number> {
    const { tokens } = await this.models.contextWindow(model);
    return maxInputTokens(tokens, this.config.maxTokens, parameters);
  }
}

/** Returns the prompts of a turn. */
function promptsOf({ systemPrompt, spec }: Turn, hasPassages: boolean): readonly FramingMessage[] {
  return [systemPrompt, spec.instructions, hasPassages ? PASSAGE_INSTRUCTIONS : null].flatMap((prompt) =>
    prompt === null ? [] : framed('system', prompt),
  );
}

/** Returns the tokens of what is sent whatever the messages are: prompts, tools, and the schema of the answer. */
function fixedTokens({ spec }: Turn, prompts: readonly FramingMessage[]): number {
  const { tools = [], response_format: format } = spec.parameters;
  let tokens = 0;
  if (tools.length > 0) tokens += countTokens(JSON.stringify(tools));
  if (format?.type === 'json_schema') tokens += countTokens(JSON.stringify(format.json_schema));
  return prompts.reduce((sum, prompt) => sum + prompt.tokens, tokens);
}

function toFirstContextMessage(question: OpeningQuestion): ContextMessage {
  return {
    ...question,
    parentId: null,
    role: 'user',
    toolCalls: null,
    toolCallId: null,
    providerData: null,
  };
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

/**
 * Returns the newest messages of a path that fit. Old messages give way to the text of documents, but not the message
 * with the newest document nor what follows it: without them, the text would have no place.
 * @param options.newestDocument the index of that message, or -1
 */
function selectNewest(
  path: readonly ContextMessage[],
  options: { readonly maxTokens: number; readonly forDocuments: number; readonly newestDocument: number },
): readonly ContextMessage[] {
  const { maxTokens, forDocuments, newestDocument } = options;
  const first = Math.min(firstThatFits(path, maxTokens - forDocuments), newestDocument);
  return path.slice(Math.max(first, firstThatFits(path, maxTokens)));
}

/** Returns the index from which the messages of a path fit in a number of tokens; at most that of the last one. */
function firstThatFits(path: readonly ContextMessage[], maxTokens: number): number {
  let tokens = 0;
  const tooMuch = path.findLastIndex((message, index) => {
    tokens += tokensOf([message]);
    return tokens > maxTokens && index < path.length - 1;
  });
  return tooMuch + 1;
}
