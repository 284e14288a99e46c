import type { BatchTask } from '../model/batch-task.js';

/** Fields of a batch that its requests have unless they set them, by task. */
export const SHARED_FIELDS = {
  chat: [
    'model',
    'system_prompt',
    'temperature',
    'top_p',
    'max_tokens',
    'stop',
    'seed',
    'presence_penalty',
    'frequency_penalty',
    'reasoning_effort',
    'response_format',
  ],
  embed: ['model', 'dimensions'],
} as const satisfies Record<BatchTask, readonly string[]>;

/** Fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** Returns true for a JSON object. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the value of a field; null counts as absent. */
export function fieldOf(fields: Fields, name: string): unknown {
  return (Object.hasOwn(fields, name) ? fields[name] : undefined) ?? undefined;
}

/**
 * Returns the body of a request with the shared fields that it lacks. A system prompt, its own or the shared one,
 * becomes the first message of a chat that has no instructions of its own.
 */
export function withSharedFields({ system_prompt: ownPrompt, ...body }: Fields, shared: Fields): Fields {
  const { system_prompt: sharedPrompt, ...fields } = shared;
  const missing = Object.entries(fields).filter(
    ([name]) => fieldOf(body, name) === undefined && !replacesField(body, name),
  );
  const complete = { ...body, ...Object.fromEntries(missing) };
  const prompt = ownPrompt ?? sharedPrompt ?? undefined;
  const messages: unknown = body['messages'];
  if (prompt === undefined || !Array.isArray(messages) || messages.some(isInstruction)) return complete;
  return { ...complete, messages: [{ role: 'system', content: prompt }, ...(messages as unknown[])] };
}

/** The limit of an answer has two names, of which a request may have one. */
function replacesField(body: Fields, name: string): boolean {
  return name === 'max_tokens' && fieldOf(body, 'max_completion_tokens') !== undefined;
}

function isInstruction(message: unknown): boolean {
  return isFields(message) && (message['role'] === 'system' || message['role'] === 'developer');
}
