import { Injectable } from '@nestjs/common';
import { InvalidRequestError, NotFoundError } from '../../common/errors.js';
import { type BranchPoint, BranchRepository } from './branch.repository.js';
import type { Compaction } from './compaction.js';
import type { AnswerOptions, Place } from './turn.js';

/** A place in the tree, found. */
export interface Spot {
  /** Undefined begins a conversation. */
  readonly conversationId: string | undefined;
  readonly systemPrompt: string | undefined;
  readonly compaction: Compaction | undefined;
  /** The message that the turn follows: a certain one, none, or whichever ends the active path when it begins. */
  readonly after: 'leaf' | { readonly messageId: string | null };
  /** What the user says; undefined where the question stands there already. */
  readonly question: string | undefined;
  /** What is answered, for the estimate of what it takes. */
  readonly prompt: string;
  /** How the answer was made that this one takes the place of. */
  readonly before: { readonly model: string | null; readonly options: AnswerOptions } | undefined;
}

/** Finds where a turn takes place. Messages never change and never move, so what is found here still holds when the turn begins. */
@Injectable()
export class PlaceService {
  constructor(private readonly branches: BranchRepository) {}

  /** @throws NotFoundError, InvalidRequestError where the message is not one that can be edited or answered */
  async find(userId: string, place: Place): Promise<Spot> {
    if (place.type === 'next') {
      const { conversationId, systemPrompt, compaction, message } = place;
      return {
        conversationId,
        systemPrompt,
        compaction,
        after: 'leaf',
        question: message,
        prompt: message,
        before: undefined,
      };
    }
    const { conversationId, messageId } = place;
    const point = await this.branches.find(userId, conversationId, messageId);
    if (point === null) throw new NotFoundError('message', messageId);
    const spot = { conversationId, systemPrompt: undefined, compaction: undefined };
    if (place.type === 'edit') {
      if (point.role !== 'user') throw notYours(messageId);
      const before = await this.branches.newestAnswer(userId, conversationId, messageId);
      const { message } = place;
      return {
        ...spot,
        after: { messageId: point.parentId },
        question: message,
        prompt: message,
        before: before ?? undefined,
      };
    }
    const { question, before } = await this.questionOf(userId, conversationId, point);
    const { id, content: prompt } = question;
    return { ...spot, after: { messageId: id }, question: undefined, prompt, before: before ?? undefined };
  }

  /** The question of an answer, or the one that is named itself, and how it was answered before. */
  private async questionOf(userId: string, conversationId: string, point: BranchPoint) {
    if (point.role === 'user') {
      return { question: point, before: await this.branches.newestAnswer(userId, conversationId, point.id) };
    }
    const { parentId } = point;
    const question =
      point.role === 'assistant' && parentId !== null
        ? await this.branches.find(userId, conversationId, parentId)
        : null;
    if (question === null) throw notAnAnswer(point.id);
    return { question, before: point };
  }
}

function notYours(id: string): InvalidRequestError {
  const message = `only what a user wrote can be edited, and ${id} is not that; regenerate an answer instead`;
  return new InvalidRequestError(`message_id: ${message}.`, [{ field: 'message_id', message }]);
}

function notAnAnswer(id: string): InvalidRequestError {
  const message = `${id} is neither an answer nor a question`;
  return new InvalidRequestError(`message_id: ${message}.`, [{ field: 'message_id', message }]);
}
