import type { IncomingHttpHeaders } from 'node:http';

import type { StopReason } from '@anthropic-ai/sdk/resources/messages';

import { blocksOf, wholeBlock } from './anthropic-blocks.js';
import { anthropicErrorBody, anthropicLookUp, messageText, promptText } from './anthropic-catalog.js';
import type { FinishReason, ScriptedUsage } from './script.js';
import { encodeEvent } from './server-sent-events.js';
import { elements, property } from './unknown-value.js';
import type {
  Answer,
  ChatRequest,
  Frame,
  FrameStyle,
  Route,
  StreamFrames,
  ProviderProtocol,
} from './provider-protocol.js';

/** An event with the events before it on the socket, which open and close the blocks around a delta. */
interface BlockFrame extends Frame {
  before: readonly Frame[];
}

const STOP_REASONS: Readonly<Record<FinishReason, StopReason>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
};

/** Anthropic's Messages API. It answers requests for models with an `anthropic-version` header. */
export const anthropicProtocol: ProviderProtocol = {
  requestIdHeader: 'request-id',
  streamType: 'text/event-stream; charset=utf-8',
  ping: 'event: ping\ndata: {"type": "ping"}\n\n',
  route: routeOf,
  authorized: (headers, apiKey) =>
    headers['x-api-key'] === apiKey || headers.authorization === `Bearer ${apiKey}`,
  readChat,
  lookUp: anthropicLookUp,
  body: (answer) => JSON.stringify(message(answer)),
  frames: streamFrames,
  encode,
  errorBody: anthropicErrorBody,
  errorFrame: (failure) => ({ event: 'error', data: anthropicErrorBody(failure) }),
};

function routeOf(method: string, path: string, headers: IncomingHttpHeaders): Route | undefined {
  if (method === 'POST' && path === '/v1/messages') return 'chat';
  if (method === 'POST' && path === '/v1/messages/count_tokens') return 'models';
  const asksForModels = method === 'GET' && /^\/v1\/models(\/.+)?$/.test(path);
  return asksForModels && headers['anthropic-version'] !== undefined ? 'models' : undefined;
}

function readChat(body: unknown): ChatRequest | undefined {
  const model = property(body, 'model');
  const messages = elements(property(body, 'messages'));
  const limit = property(body, 'max_tokens');
  if (typeof model !== 'string' || messages.length === 0 || typeof limit !== 'number') return undefined;
  const lastFromUser = messages.findLast((one) => property(one, 'role') === 'user' && hasText(one));
  return {
    model,
    stream: property(body, 'stream') === true,
    usageInStream: true,
    promptText: promptText(body),
    lastUserText: messageText(lastFromUser),
  };
}

/** Checks for text that the user wrote: tool results are user messages too, but without text. */
function hasText(one: unknown): boolean {
  const content = property(one, 'content');
  return typeof content === 'string' || elements(content).some((part) => property(part, 'type') === 'text');
}

function message(answer: Answer): object {
  const { usage, usageInStream, finishReason } = answer;
  return {
    ...emptyMessage(answer),
    content: blocksOf(answer).map(wholeBlock),
    stop_reason: STOP_REASONS[finishReason],
    ...(usage && usageInStream && { usage: usageAtStart(usage, usage.completion_tokens) }),
  };
}

function emptyMessage({ id, model }: Answer): object {
  return {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
  };
}

function streamFrames(answer: Answer): StreamFrames {
  const { usage } = answer;
  const reportedUsage = usage !== undefined && answer.usageInStream ? usage : undefined;
  const outputs: Frame[] = [];
  let before: Frame[] = [];
  for (const [index, block] of blocksOf(answer).entries()) {
    const start = event('content_block_start', { index, content_block: block.start });
    if (block.startCounts) {
      outputs.push(after(before, start));
      before = [];
    } else {
      before.push(start);
    }
    for (const delta of block.deltas) {
      outputs.push(after(before, event('content_block_delta', { index, delta })));
      before = [];
    }
    before.push(...block.seal.map((delta) => event('content_block_delta', { index, delta })));
    before.push(event('content_block_stop', { index }));
  }
  const delta = { stop_reason: STOP_REASONS[answer.finishReason], stop_sequence: null };
  const start = { ...emptyMessage(answer), ...(reportedUsage && { usage: usageAtStart(reportedUsage, 1) }) };
  return {
    opening: [event('message_start', { message: start })],
    outputs,
    closing: [
      after(
        before,
        event('message_delta', { delta, ...(reportedUsage && { usage: usageAtEnd(reportedUsage) }) }),
      ),
    ],
    terminator: [event('message_stop', {})],
  };
}

function event(type: string, fields: object): Frame {
  return { event: type, data: JSON.stringify({ type, ...fields }) };
}

function after(before: readonly Frame[], frame: Frame): BlockFrame {
  return { ...frame, before };
}

function encode(frame: Frame, style: FrameStyle): string {
  const before = isBlockFrame(frame) ? frame.before : [];
  return [...before, frame].map((one) => encodeEvent(one, style)).join('');
}

function isBlockFrame(frame: Frame): frame is BlockFrame {
  return 'before' in frame;
}

/** Returns usage in the protocol's format, which counts cached tokens separately from the input. */
function usageAtStart(usage: ScriptedUsage, outputTokens: number): object {
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  return {
    input_tokens: usage.prompt_tokens - cached,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cached,
    output_tokens: outputTokens,
  };
}

function usageAtEnd(usage: ScriptedUsage): object {
  const thinking = usage.completion_tokens_details?.reasoning_tokens;
  return {
    output_tokens: usage.completion_tokens,
    ...(thinking !== undefined && { output_tokens_details: { thinking_tokens: thinking } }),
  };
}
