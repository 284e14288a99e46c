import { type ChatMessage, type ChatRequest, getField, type Protocol } from '../port/index.js';

/** Fields that every API format carries, or that have a refusal of their own (`findOpenAiOnlyField`). */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'messages',
  'max_tokens',
  'max_completion_tokens',
  'functions',
  'function_call',
]);

/**
 * Returns the names of the fields that a caller sent and an API format other than OpenAI's has no place for:
 * unknown fields of the request, and hints inside messages and tools. Fields inside lists are named without
 * their indexes.
 * @param isParameter returns true for a parameter that is adapted by itself
 */
export function droppedFields(
  request: ChatRequest,
  protocol: Exclude<Protocol, 'openai'>,
  isParameter: (name: string) => boolean,
): string[] {
  const unknown = Object.entries(request).flatMap(([name, value]: [string, unknown]) =>
    KNOWN_FIELDS.has(name) || isParameter(name) || value === undefined || value === null ? [] : [name],
  );
  return [
    ...unknown,
    ...(request.messages.some(isNamed) ? ['messages.name'] : []),
    ...(request.messages.some(hasDetail) ? ['messages.content.image_url.detail'] : []),
    ...(protocol === 'ollama' && hasStrictTool(request) ? ['tools.function.strict'] : []),
  ];
}

/** Returns true for a message with the name of a participant. The names of tools are not hints. */
function isNamed(message: ChatMessage): boolean {
  return message.role !== 'tool' && message.role !== 'function' && Boolean(message.name);
}

/** Returns true if a message asks for another detail of an image than the default. */
function hasDetail({ content }: ChatMessage): boolean {
  if (!Array.isArray(content)) return false;
  return content.some((part) => {
    const detail = getField(getField(part, 'image_url'), 'detail');
    return detail !== undefined && detail !== null && detail !== 'auto';
  });
}

function hasStrictTool({ tools }: ChatRequest): boolean {
  return (tools ?? []).some((tool) => getField(getField(tool, 'function'), 'strict') === true);
}
