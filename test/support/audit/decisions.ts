import { randomUUID } from 'node:crypto';
import type { Random } from './random.js';
import type { Asking, Question, Regeneration } from './world.js';

/** A request for an answer, and how it is sent. */
export interface Sending<Asked extends Asking = Asking> {
  readonly asking: Asked;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A message that a client knows from a list. */
export interface KnownMessage {
  readonly id: string;
  readonly conversationId: string;
  readonly role: 'user' | 'assistant';
  readonly parentId: string | undefined;
  readonly active: boolean;
}

/** Creates a question in a conversation, or in a new one. */
export function questionIn(
  conversation: string | undefined,
  text: string,
  random: Random,
): Sending<Question> {
  const whole = random.chance(0.25);
  return {
    asking: { ...newAsking(text, random), insteadOf: undefined },
    path: whole ? '/api/v1/chat' : '/api/v1/chat/stream',
    body: {
      message: text,
      model: random.chance(0.5) ? 'chain' : 'first/model',
      ...(conversation !== undefined && { conversation_id: conversation }),
      ...whenAlone(random),
    },
  };
}

/** Creates an edit of a question. */
export function editOf(message: KnownMessage, text: string, random: Random): Sending<Question> {
  return {
    asking: { ...newAsking(text, random), insteadOf: message.id },
    path: `${pathOf(message)}/edit`,
    body: { message: text, ...howToAnswer(random) },
  };
}

/** Creates a regeneration, given an answer or its question. */
export function regenerationOf(message: KnownMessage, name: string, random: Random): Sending<Regeneration> {
  const questionId = message.role === 'user' ? message.id : (message.parentId ?? '');
  return {
    asking: { ...newAsking(name, random), questionId },
    path: `${pathOf(message)}/regenerate`,
    body: howToAnswer(random),
  };
}

export function pathOf({ conversationId, id }: KnownMessage): string {
  return `/api/v1/conversations/${conversationId}/messages/${id}`;
}

function newAsking(name: string, random: Random): Asking {
  return { name, key: random.chance(0.7) ? randomUUID() : undefined, answers: new Set(), lost: false };
}

/** Chooses options of a branch: streamed or JSON, with or without a model. */
function howToAnswer(random: Random): Record<string, unknown> {
  return {
    ...(random.chance(0.75) && { stream: true }),
    ...(random.chance(0.5) && { model: random.chance(0.5) ? 'chain' : 'first/model' }),
    ...whenAlone(random),
  };
}

function whenAlone(random: Random): Record<string, unknown> {
  return random.chance(0.15) ? { on_disconnect: 'cancel' } : {};
}
