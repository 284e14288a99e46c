import type { ChatResponse, GenerateResponse, Message } from './ollama-shapes.js';
import { ollamaErrorBody, ollamaLookUp, SHOW_PATH } from './ollama-catalog.js';
import type { FinishReason, ScriptedUsage } from './script.js';
import { elements, parseJson, property } from './unknown-value.js';
import type {
  Answer,
  ChatRequest,
  Frame,
  FrameStyle,
  StreamFrames,
  ProviderProtocol,
} from './provider-protocol.js';

/** A piece of an answer in a form common to both paths. */
type Piece = Omit<Message, 'role' | 'content'> & { content?: string };
/** Converts a piece to the format of one of the two paths. */
type Shape = (
  piece: Piece,
) => Pick<ChatResponse, 'message'> | Pick<GenerateResponse, 'response' | 'thinking'>;
/** The fields common to both formats. */
type Rest = Omit<ChatResponse, 'message'>;

/** `POST /api/chat`, and the rest of Ollama's native protocol except `/api/generate`. */
export const ollamaProtocol = makeProtocol({
  path: '/api/chat',
  read: readChat,
  shape: ({ content = '', ...piece }) => ({ message: { role: 'assistant', content, ...piece } }),
});

/**
 * `POST /api/generate`: one prompt, and the pieces of the answer without a message around them. It has no
 * tool calls.
 */
export const ollamaGenerateProtocol = makeProtocol({
  path: '/api/generate',
  read: readGenerate,
  shape: ({ content = '', thinking }) => ({ response: content, ...(thinking !== undefined && { thinking }) }),
});

interface ProtocolParts {
  path: string;
  read: ProviderProtocol['readChat'];
  shape: Shape;
}

function makeProtocol({ path: chatPath, read, shape }: ProtocolParts): ProviderProtocol {
  return {
    requestIdHeader: 'x-request-id',
    streamType: 'application/x-ndjson',
    // The protocol has no comments: an empty line has no content.
    ping: '\n',
    route(method, path) {
      if (method === 'POST' && path === chatPath) return 'chat';
      if (method === 'POST' && path === '/api/embed') return 'embeddings';
      if (method === 'POST' && path === SHOW_PATH) return 'models';
      if (method === 'GET' && (path === '/api/tags' || path === '/api/version')) return 'models';
      return undefined;
    },
    authorized: (headers, apiKey) => headers.authorization === `Bearer ${apiKey}`,
    readChat: read,
    lookUp: ollamaLookUp,
    body: (answer) => JSON.stringify(wholeAnswer(answer, shape)),
    frames: (answer) => streamFrames(answer, shape),
    encode: encodeLine,
    errorBody: ollamaErrorBody,
    errorFrame: (failure) => ({ data: ollamaErrorBody(failure) }),
  };
}

function readChat(body: unknown): ChatRequest | undefined {
  const messages = elements(property(body, 'messages'));
  const lastFromUser = messages.findLast((message) => property(message, 'role') === 'user');
  return readRequest(body, messages.map(textOf).join(' '), textOf(lastFromUser));
}

function readGenerate(body: unknown): ChatRequest | undefined {
  const prompt = property(body, 'prompt');
  const text = typeof prompt === 'string' ? prompt : '';
  return readRequest(body, text, text);
}

function readRequest(body: unknown, promptText: string, lastUserText: string): ChatRequest | undefined {
  const model = property(body, 'model');
  if (typeof model !== 'string') return undefined;
  return { model, stream: property(body, 'stream') !== false, usageInStream: true, promptText, lastUserText };
}

function textOf(message: unknown): string {
  const content = property(message, 'content');
  return typeof content === 'string' ? content : '';
}

function wholeAnswer(answer: Answer, shape: Shape): object {
  const calls = toolPieces(answer).flatMap(({ tool_calls }) => tool_calls ?? []);
  const piece: Piece = {
    content: answer.text.join(''),
    ...(answer.reasoning.length > 0 && { thinking: answer.reasoning.join('') }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  return { ...head(answer), ...shape(piece), ...ending(answer) };
}

function streamFrames(answer: Answer, shape: Shape): StreamFrames {
  const frame = (piece: Piece): Frame => encode({ ...head(answer), ...shape(piece), done: false });
  return {
    opening: [],
    outputs: [
      ...answer.reasoning.map((thinking) => frame({ thinking })),
      ...answer.text.map((content) => frame({ content })),
      ...toolPieces(answer).map(frame),
    ],
    closing: [encode({ ...head(answer), ...shape({}), ...ending(answer) })],
    terminator: [],
  };
}

function encode(value: object): Frame {
  return { data: JSON.stringify(value) };
}

/** Encodes a line. The awkward style has CRLF, empty lines, and white space around and in the object. */
function encodeLine({ data }: Frame, style: FrameStyle): string {
  if (style === 'plain') return `${data}\n`;
  const value = parseJson(data);
  const spread = value === undefined ? data : JSON.stringify(value, null, ' ').replaceAll('\n', '\t');
  return `\r\n \t${spread} \r\n`;
}

function head({ model, created }: Answer): Pick<Rest, 'model' | 'created_at'> {
  return { model, created_at: new Date(created * 1000).toISOString() };
}

function ending({ finishReason, usage }: Answer): Omit<Rest, 'model' | 'created_at'> {
  return { done: true, done_reason: reasonOf(finishReason), ...metrics(usage) };
}

/** Maps a finish reason; the protocol has none for tool calls and filters. */
function reasonOf(reason: FinishReason): 'stop' | 'length' {
  return reason === 'length' ? 'length' : 'stop';
}

/** Returns the metrics. Durations are in nanoseconds; counts of 0 are omitted. */
function metrics(usage: ScriptedUsage | undefined): Partial<Rest> {
  const durations = { total_duration: 5_191_566_416, load_duration: 2_154_458 };
  if (usage === undefined) return durations;
  return {
    ...durations,
    ...(usage.prompt_tokens > 0 && {
      prompt_eval_count: usage.prompt_tokens,
      prompt_eval_duration: 383_809_000,
    }),
    ...(usage.completion_tokens > 0 && { eval_count: usage.completion_tokens, eval_duration: 4_799_921_000 }),
  };
}

/** Returns the tool calls as complete pieces without ids, as sent by all but the newest servers. */
function toolPieces({ toolCalls }: Answer): Piece[] {
  return toolCalls.map(({ name, fragments }) => ({
    tool_calls: [{ function: { name, arguments: parseJson(fragments.join('')) ?? {} } }],
  }));
}
