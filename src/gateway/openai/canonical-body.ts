import type { ChatMessage } from '../../llm/index.js';
import type { ChatCompletionBody } from './chat-completions.service.js';
import type { CompletionBody } from './completions.service.js';
import { CHAT_COMPLETION_FIELDS, COMPLETION_FIELDS } from './schemas.js';

type Part = Exclude<NonNullable<ChatMessage['content']>, string>[number];

/** Returns a checked body in the form that the mappings of all providers read. */
export function toCanonicalChat(body: ChatCompletionBody): ChatCompletionBody {
  return { ...withoutNulls(body, CHAT_COMPLETION_FIELDS), messages: withImageObjects(body.messages) };
}

/** Returns a checked body of the older surface in the same form. */
export function toCanonicalCompletion(body: CompletionBody): CompletionBody {
  return withoutNulls(body, COMPLETION_FIELDS);
}

/**
 * Leaves out the fields of a body that are null, which stands for their default. Fields that are not among these pass
 * as they are: only their host knows what null means there.
 */
function withoutNulls<Body extends object>(body: Body, fields: readonly string[]): Body {
  const nulls = Object.entries(body).filter(([name, value]) => value === null && fields.includes(name));
  if (nulls.length === 0) return body;
  const rest = { ...body };
  for (const [name] of nulls) Reflect.deleteProperty(rest, name);
  return rest;
}

/** Puts URLs of images that came as bare texts into their objects, as Chat Completions has them. */
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
