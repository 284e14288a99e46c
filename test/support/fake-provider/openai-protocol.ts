import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';

import { openaiErrorBody } from './openai-errors.js';
import { openaiLookUp } from './openai-catalog.js';
import type { ScriptedUsage } from './script.js';
import { encodeEvent, PING } from './server-sent-events.js';
import { elements, property } from './unknown-value.js';
import type { Answer, ChatRequest, Frame, StreamFrames, ProviderProtocol } from './provider-protocol.js';

/** The field for reasoning, which the official types do not include. */
interface Thoughts {
  reasoning_content?: string;
}
type Delta = ChatCompletionChunk.Choice.Delta & Thoughts;
type Message = ChatCompletion.Choice['message'] & Thoughts;

/** Chat Completions, embeddings and models as served by OpenAI and compatible hosts. */
export const openaiProtocol: ProviderProtocol = {
  requestIdHeader: 'x-request-id',
  streamType: 'text/event-stream; charset=utf-8',
  ping: PING,
  route(method, path, headers) {
    if (method === 'POST' && path === '/v1/chat/completions') return 'chat';
    if (method === 'POST' && path === '/v1/embeddings') return 'embeddings';
    // With an `anthropic-version` header the same path belongs to Anthropic's protocol.
    const foreign = headers['anthropic-version'] !== undefined;
    if (method === 'GET' && /^\/v1\/models(\/.+)?$/.test(path) && !foreign) return 'models';
    return undefined;
  },
  authorized: (headers, apiKey) => headers.authorization === `Bearer ${apiKey}`,
  readChat,
  lookUp: openaiLookUp,
  body: (answer) => JSON.stringify(completion(answer)),
  frames: streamFrames,
  encode: encodeEvent,
  errorBody: openaiErrorBody,
  errorFrame: (failure) => ({ data: openaiErrorBody(failure) }),
};

function readChat(body: unknown): ChatRequest | undefined {
  const model = property(body, 'model');
  const messages = elements(property(body, 'messages'));
  if (typeof model !== 'string' || messages.length === 0) return undefined;
  const lastFromUser = messages.findLast((message) => property(message, 'role') === 'user');
  return {
    model,
    stream: property(body, 'stream') === true,
    usageInStream: property(property(body, 'stream_options'), 'include_usage') === true,
    promptText: messages.map(messageText).join(' '),
    lastUserText: messageText(lastFromUser),
  };
}

function messageText(message: unknown): string {
  const content = property(message, 'content');
  if (typeof content === 'string') return content;
  return elements(content)
    .map((part) => property(part, 'text'))
    .filter((text) => typeof text === 'string')
    .join('');
}

function usageOf(usage: ScriptedUsage): CompletionUsage {
  return { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens };
}

function completion(answer: Answer): ChatCompletion {
  const message: Message = {
    role: 'assistant',
    content: answer.toolCalls.length > 0 && answer.text.length === 0 ? null : answer.text.join(''),
    refusal: null,
  };
  if (answer.reasoning.length > 0) message.reasoning_content = answer.reasoning.join('');
  if (answer.toolCalls.length > 0) {
    message.tool_calls = answer.toolCalls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: call.fragments.join('') },
    }));
  }
  return {
    id: `chatcmpl-${answer.id}`,
    object: 'chat.completion',
    created: answer.created,
    model: answer.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: answer.finishReason }],
    ...(answer.usage === undefined ? {} : { usage: usageOf(answer.usage) }),
  };
}

function streamFrames(answer: Answer): StreamFrames {
  const common = {
    id: `chatcmpl-${answer.id}`,
    object: 'chat.completion.chunk',
    created: answer.created,
    model: answer.model,
  } as const;
  // OpenAI sets `usage: null` on all chunks except the last if usage was requested.
  const noUsage = answer.usageInStream && answer.usage !== undefined ? { usage: null } : {};
  const frame = (delta: Delta, finishReason: Answer['finishReason'] | null = null): Frame =>
    encodeChunk({
      ...common,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...noUsage,
    });
  const usage: readonly Frame[] =
    answer.usageInStream && answer.usage !== undefined
      ? [encodeChunk({ ...common, choices: [], usage: usageOf(answer.usage) })]
      : [];
  return {
    opening: [frame({ role: 'assistant', content: answer.toolCalls.length > 0 ? null : '' })],
    outputs: [
      ...answer.reasoning.map((text) => frame({ reasoning_content: text })),
      ...answer.text.map((text) => frame({ content: text })),
      ...toolDeltas(answer).map((delta) => frame(delta)),
    ],
    closing: [frame({}, answer.finishReason), ...usage],
    terminator: [{ data: '[DONE]' }],
  };
}

function encodeChunk(chunk: ChatCompletionChunk): Frame {
  return { data: JSON.stringify(chunk) };
}

function toolDeltas(answer: Answer): Delta[] {
  return answer.toolCalls.flatMap((call, index): Delta[] => [
    { tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }] },
    ...call.fragments.map((fragment) => ({ tool_calls: [{ index, function: { arguments: fragment } }] })),
  ]);
}
