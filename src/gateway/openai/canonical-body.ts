import type { ChatMessage } from '../../llm/index.js';
import type { ChatCompletionBody } from './chat-completion-body.js';
import type { CompletionBody } from './completions.service.js';
import { CHAT_COMPLETION_FIELDS, COMPLETION_FIELDS } from './schemas.js';

type Part = Exclude<NonNullable<ChatMessage['content']>, string>[number];

/** Converts a validated body to the form that the mappings of all providers read. */
export function toCanonicalChat(body: ChatCompletionBody): ChatCompletionBody {
  return { ...withoutNulls(body, CHAT_COMPLETION_FIELDS), messages: withImageObjects(body.messages) };
}

/** Converts a validated body of the legacy Completions route to the same form. */
export function toCanonicalCompletion(body: CompletionBody): CompletionBody {
  return withoutNulls(body, COMPLETION_FIELDS);
}

/**
 * Omits the fields of a body that are null, which means their default. Fields that are not listed pass
 * unchanged: only their host knows the meaning of null.
 */
function withoutNulls<Body extends object>(body: Body, fields: readonly string[]): Body {
  const nulls = Object.entries(body).filter(([name, value]) => value === null && fields.includes(name));
  if (nulls.length === 0) return body;
  const rest = { ...body };
  for (const [name] of nulls) Reflect.deleteProperty(rest, name);
  return rest;
}

/** Wraps image URLs that are bare strings into objects, as Chat Completions defines them. */
function withImageObjects(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map((message) => {
    const { content } = message;
    if (!Array.isArray(content) || !content.some((part) => bareUrlOf(part) !== undefined)) return message;
    const parts: Part[] = content.map((part: Part) => {
      const url = bareUrlOf(part);
      return url === undefined ? part : { ...part, type: 'image_url', image_url: { url } };
    });
    return Object.assign({}, message, { content: parts });
  });
}

function bareUrlOf(part: Part): string | undefined {
  if (part.type !== 'image_url') return undefined;
  const url: unknown = part.image_url;
  return typeof url === 'string' ? url : undefined;
}
