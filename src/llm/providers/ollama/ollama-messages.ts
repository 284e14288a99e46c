import { AppError } from '../../../common/errors.js';
import type { ChatMessage, ChatRequest, ProviderData } from '../../port/index.js';

type Message<Role extends ChatMessage['role']> = Extract<ChatMessage, { role: Role }>;
type Part = Exclude<Message<'user'>['content'], string>[number];
type ToolCall = NonNullable<Message<'assistant'>['tool_calls']>[number];

/** The `provider` of our provider data. */
export const OLLAMA = 'ollama';

/** Maximum length of a caller's input that an error quotes, in characters. */
const MAX_QUOTE_LENGTH = 100;

/** A tool call in Ollama's format: the arguments are an object, not its JSON text. */
export interface OllamaToolCall {
  readonly id?: string;
  readonly function: { readonly name: string; readonly arguments: object };
}

/** A message of `/api/chat`. Undefined fields are not sent. */
export interface OllamaMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly thinking?: string | undefined;
  /** Base64, without the prefix of a data URL. */
  readonly images?: string[] | undefined;
  readonly tool_calls?: OllamaToolCall[] | undefined;
  /** The tool that a result comes from; older servers know only this field. */
  readonly tool_name?: string | undefined;
  /** The call that a result answers; older servers ignore it. */
  readonly tool_call_id?: string | undefined;
}

/**
 * Converts the messages of a request to Ollama's format. Its models do not see images in a message of the role
 * `tool`, so images of results follow them in a user message.
 * https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
 *
 * @throws AppError `invalid_request` for content that the API format has no field for
 */
export function toOllamaMessages(messages: ChatRequest['messages']): OllamaMessage[] {
  const toolNames = namesOfCalls(messages);
  const sent: OllamaMessage[] = [];
  let images: string[] = [];
  for (const message of messages) {
    if (message.role !== 'tool' && images.length > 0) {
      sent.push(toImageMessage(images));
      images = [];
    }
    sent.push(toOllamaMessage(message, toolNames));
    if (message.role === 'tool') images.push(...(contentOf(message.content).images ?? []));
  }
  return images.length > 0 ? [...sent, toImageMessage(images)] : sent;
}

function toImageMessage(images: string[]): OllamaMessage {
  return { role: 'user', content: '[Images in the results above]', images };
}

function toOllamaMessage(message: ChatMessage, toolNames: ReadonlyMap<string, string>): OllamaMessage {
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: textOf(withoutImages(message)) };
    case 'user':
      return { role: 'user', ...contentOf(message.content) };
    case 'assistant':
      return fromAssistant(message);
    case 'tool':
      return {
        role: 'tool',
        content: textOf(message.content),
        tool_name: toolNames.get(message.tool_call_id),
        tool_call_id: message.tool_call_id,
      };
    case 'function':
      return { role: 'tool', content: message.content ?? '', tool_name: message.name };
  }
}

/** Returns the content of a message that may contain only text. */
function withoutImages({ role, content }: ChatMessage): string | readonly AnyPart[] | null | undefined {
  if (typeof content === 'string') return content;
  const parts: readonly AnyPart[] = content ?? [];
  if (!parts.some(({ type }) => type === 'image_url')) return parts;
  throw unsupportedMessageError(
    `An Ollama server accepts images in user messages only, not in messages with the role '${role}'.`,
  );
}

function fromAssistant(message: Message<'assistant'>): OllamaMessage {
  if (message.audio) throw unsupportedMessageError('An Ollama server does not support audio.');
  const calls = message.tool_calls?.map(toToolCall) ?? [];
  return {
    role: 'assistant',
    content: textOf(withoutImages(message)) || (message.refusal ?? ''),
    thinking: thinkingOf(message.provider_data),
    tool_calls: calls.length > 0 ? calls : undefined,
  };
}

function toToolCall(call: ToolCall): OllamaToolCall {
  if (call.type !== 'function')
    throw unsupportedMessageError(`An Ollama server does not support tool calls of type '${call.type}'.`);
  const { name, arguments: text } = call.function;
  return { id: call.id, function: { name, arguments: argumentsOf(name, text) } };
}

function argumentsOf(name: string, text: string): object {
  if (text.trim() === '') return {};
  const value = parse(text);
  if (isPlainObject(value)) return value;
  throw unsupportedMessageError(
    `The arguments of the call of '${quote(name)}' are not a JSON object, which Ollama requires.`,
  );
}

/** Returns the model's thinking before it called tools; it continues from there when the results arrive. */
function thinkingOf(data: ProviderData | undefined): string | undefined {
  if (data?.provider !== OLLAMA || !isPlainObject(data.blocks) || !('thinking' in data.blocks))
    return undefined;
  return typeof data.blocks.thinking === 'string' ? data.blocks.thinking : undefined;
}

/**
 * Converts content. Callers of the compatible routes may omit it, as OpenAI's schema allows for assistant
 * messages.
 */
function contentOf(
  content: string | readonly AnyPart[] | null | undefined,
): Pick<OllamaMessage, 'content' | 'images'> {
  if (typeof content === 'string') return { content };
  const images = (content ?? [])
    .filter((part) => part.type === 'image_url')
    .map((part) => base64Of(part.image_url.url));
  return { content: textOf(content), images: images.length > 0 ? images : undefined };
}

type AnyPart = Part | { readonly type: 'refusal'; readonly refusal: string };

/** Returns the text of a content; images have a field of their own. */
function textOf(content: string | readonly AnyPart[] | null | undefined): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map(textOfPart).join('');
}

function textOfPart(part: AnyPart): string {
  switch (part.type) {
    case 'text':
      return part.text;
    case 'refusal':
      return part.refusal;
    case 'image_url':
      return '';
    default:
      throw unsupportedMessageError(
        `An Ollama server accepts text and images, but no content of type '${part.type}'.`,
      );
  }
}

function base64Of(url: string): string {
  const comma = url.indexOf(',');
  if (/^data:[^,]*;base64$/iu.test(url.slice(0, Math.max(0, comma)))) return url.slice(comma + 1);
  throw unsupportedMessageError(
    `An Ollama server accepts images as base64 data URLs only, not '${quote(url)}'.`,
  );
}

function namesOfCalls(messages: ChatRequest['messages']): Map<string, string> {
  const names = new Map<string, string>();
  for (const message of messages) {
    if (message.role !== 'assistant') continue;
    for (const call of message.tool_calls ?? [])
      if (call.type === 'function') names.set(call.id, call.function.name);
  }
  return names;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function quote(text: string): string {
  return text.length <= MAX_QUOTE_LENGTH ? text : `${text.slice(0, MAX_QUOTE_LENGTH)}…`;
}

/**
 * Returns the refusal of messages that the API format has no field for: for the caller to fix, not a failure of
 * the provider.
 */
function unsupportedMessageError(message: string): AppError {
  return new AppError('invalid_request', message, { param: 'messages' });
}
