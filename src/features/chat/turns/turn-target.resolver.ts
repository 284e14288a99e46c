import { Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../../common/errors.js';
import { continuationParameters } from '../messages/generation-parameters.js';
import { type BranchPoint, MessageTreeRepository } from '../messages/message-tree.repository.js';
import { sortByCall } from './sort-by-call.js';
import type { NewMessage, ResolvedTarget, ToolResult, TurnTarget } from '../model/turn-target.js';

/**
 * Resolves the target of a turn to a position. Messages never change or move, so the position is still valid when
 * the turn begins.
 */
@Injectable()
export class TurnTargetResolver {
  constructor(private readonly branches: MessageTreeRepository) {}

  /**
   * Resolves a target.
   * @throws NotFoundError
   * @throws InvalidRequestError if the message cannot be edited, answered or continued
   */
  resolveTarget(userId: string, target: TurnTarget): Promise<ResolvedTarget> {
    switch (target.type) {
      case 'next':
        return this.next(userId, target);
      case 'edit':
        return this.edit(userId, target);
      case 'regenerate':
        return this.regenerate(userId, target);
      case 'tool_results':
        return this.toolResults(userId, target);
    }
  }

  private async next(userId: string, target: Extract<TurnTarget, { type: 'next' }>): Promise<ResolvedTarget> {
    const { conversationId, systemPrompt, compaction, newMessages } = target;
    const common = {
      conversationId,
      systemPrompt,
      compaction,
      prompt: textOf(newMessages),
      previous: undefined,
    };
    const results = newMessages.filter((message): message is ToolResult => message.role === 'tool');
    if (results.length === 0) return { ...common, after: 'leaf', newMessages };
    const end = conversationId === undefined ? null : await this.branches.findPathEnd(userId, conversationId);
    // Not `leaf`: the results belong to this answer, not to one that may be added in the meantime.
    const after = { messageId: end?.id ?? null };
    const others = newMessages.filter(({ role }) => role !== 'tool');
    return { ...common, after, newMessages: [...sortByCall(results, end, 'messages'), ...others] };
  }

  private async edit(
    userId: string,
    { conversationId, messageId, message: content }: Extract<TurnTarget, { type: 'edit' }>,
  ): Promise<ResolvedTarget> {
    const point = await this.pointAt(userId, conversationId, messageId);
    if (point.role !== 'user') throw notEditable(messageId);
    return {
      conversationId,
      systemPrompt: undefined,
      compaction: undefined,
      after: { messageId: point.parentId },
      newMessages: [{ role: 'user', content }],
      prompt: content,
      previous: (await this.branches.newestAnswer(userId, conversationId, messageId)) ?? undefined,
    };
  }

  private async regenerate(
    userId: string,
    { conversationId, messageId }: Extract<TurnTarget, { type: 'regenerate' }>,
  ): Promise<ResolvedTarget> {
    const point = await this.pointAt(userId, conversationId, messageId);
    const isAnswer = point.role === 'assistant';
    const question = isAnswer ? await this.parentOf(userId, point) : point;
    // A single tool result is not a question; only the answer to all results of its exchange can be regenerated.
    if (question === null || point.role === 'tool') throw notAnAnswer(messageId);
    const previous = isAnswer ? point : await this.branches.newestAnswer(userId, conversationId, messageId);
    return {
      conversationId,
      systemPrompt: undefined,
      compaction: undefined,
      after: { messageId: question.id },
      newMessages: [],
      prompt: question.content,
      previous: previous ?? undefined,
    };
  }

  private async toolResults(
    userId: string,
    { messageId, results }: Extract<TurnTarget, { type: 'tool_results' }>,
  ): Promise<ResolvedTarget> {
    const answer = await this.branches.findMessageById(userId, messageId);
    if (answer?.role !== 'assistant') throw new NotFoundError('answer', messageId);
    const { conversationId, model, parameters, collectionIds } = answer;
    return {
      conversationId,
      systemPrompt: undefined,
      compaction: undefined,
      after: { messageId },
      newMessages: sortByCall(results, answer, 'tool_results'),
      prompt: textOf(results),
      question: collectionIds.length === 0 ? undefined : await this.questionOf(userId, answer),
      previous: { model, parameters: continuationParameters(parameters), collectionIds },
    };
  }

  /** Returns the text of the question that an answer belongs to, also after several exchanges of tool results. */
  private async questionOf(userId: string, answer: BranchPoint): Promise<string | undefined> {
    let point: BranchPoint | null = answer;
    while (point !== null && point.role !== 'user') point = await this.parentOf(userId, point);
    return point?.content;
  }

  private async pointAt(userId: string, conversationId: string, id: string): Promise<BranchPoint> {
    const point = await this.branches.findMessage(userId, conversationId, id);
    if (point === null) throw new NotFoundError('message', id);
    return point;
  }

  private parentOf(userId: string, { conversationId, parentId }: BranchPoint): Promise<BranchPoint | null> {
    return parentId === null
      ? Promise.resolve(null)
      : this.branches.findMessage(userId, conversationId, parentId);
  }
}

function textOf(messages: readonly NewMessage[]): string {
  return messages.map(({ content }) => content).join('\n');
}

function notEditable(id: string): InvalidRequestError {
  const message = `only user messages can be edited, and ${id} is not one; regenerate an answer instead`;
  return new InvalidRequestError(`message_id: ${message}.`, [{ field: 'message_id', message }]);
}

function notAnAnswer(id: string): InvalidRequestError {
  const message = `${id} has no preceding question to answer`;
  return new InvalidRequestError(`message_id: ${message}.`, [{ field: 'message_id', message }]);
}
