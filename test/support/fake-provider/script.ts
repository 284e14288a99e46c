import type { GatedAnswer } from './gated-answer.js';

/** The reason why a model stopped, in the terms of Chat Completions; other protocols translate it. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/** Token counts of an answer; the total is computed. */
export interface ScriptedUsage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number; audio_tokens?: number };
  completion_tokens_details?: { reasoning_tokens?: number; audio_tokens?: number };
}

/** A tool call of an answer. */
export interface ScriptedToolCall {
  /** Default: `call_<index>`. */
  id?: string;
  name: string;
  /** The JSON text of the arguments; an array gives the exact fragments of a stream. */
  arguments: string | readonly string[];
}

/** The output of the model. Omitted fields have deterministic defaults. */
export interface Content {
  /**
   * A string is streamed word by word; an array contains the exact deltas. Default: the last user message.
   */
  text?: string | readonly string[];
  /** Reasoning sent before the text (`reasoning_content` in OpenAI's protocol). */
  reasoning?: string | readonly string[];
  /** With tool calls and no `text`, the answer has no text and the finish reason `tool_calls`. */
  toolCalls?: readonly ScriptedToolCall[];
  /** The model named in the reply. Default: the requested model. */
  model?: string;
  finishReason?: FinishReason;
  /** Default: words counted as tokens. With `none` the provider reports no usage. */
  usage?: ScriptedUsage | 'none';
  /** Omits the usage from a stream although it was requested. */
  ignoreUsageRequest?: boolean;
}

/** The pace at which the bytes leave the server. */
export interface Pace {
  /** Delay before the status line, in milliseconds. */
  delayBeforeMs?: number;
  /** Delay between the frames of a stream, in milliseconds. */
  delayBetweenChunksMs?: number;
  /** Size of the pieces in which the body is written, in bytes, even within code points and frames. */
  splitBytes?: number;
}

/** The error object of a provider; the protocol fills in missing fields from the status. */
export interface Failure {
  status?: number;
  code?: string | null;
  message?: string;
  type?: string;
  param?: string | null;
}

/** A refusal with an HTTP error status. */
export interface ErrorBehavior extends Failure, Pace {
  kind: 'error';
  status: number;
  /** `Retry-After`: seconds or a date. */
  retryAfter?: number | Date;
  /** `retry-after-ms`. */
  retryAfterMs?: number;
  /** Further response headers. */
  headers?: Readonly<Record<string, string>>;
  /** A body that is not JSON, like that of a proxy in between. */
  body?: 'html' | 'empty';
}

/**
 * Resets the connection (RST): before any byte if `afterChunks` is 0 or absent, and otherwise in mid-answer.
 */
export interface ResetBehavior extends Content, Pace {
  kind: 'reset';
  afterChunks?: number;
}

/**
 * Stops sending and holds the connection until the client disconnects: before the headers, after them, or
 * after `afterChunks` output chunks (in mid-body without streaming).
 */
export interface SilenceBehavior extends Content, Pace {
  kind: 'silence';
  afterHeaders?: boolean;
  afterChunks?: number;
  /** Sends comments in a silent stream, which are bytes but not tokens. Requires sent headers. */
  pingEveryMs?: number;
}

/** Sends slowly: one frame, or one byte, every `chunkMs` (an eighth of the body without streaming). */
export interface DripBehavior extends Content, Pace {
  kind: 'drip';
  chunkMs: number;
  unit?: 'chunk' | 'byte';
}

/**
 * Ends cleanly after `afterChunks` output chunks without a finish reason; without streaming the JSON body is
 * truncated.
 */
export interface CutBehavior extends Content, Pace {
  kind: 'cut';
  afterChunks: number;
}

/**
 * Inserts a malformed JSON frame before output chunk `at` of an otherwise complete stream; without streaming
 * the body is malformed.
 */
export interface MalformedChunkBehavior extends Content, Pace {
  kind: 'malformedChunk';
  at: number;
}

/**
 * Sends an error frame after `afterChunks` output chunks and ends; without streaming it sends an error body
 * with status 200.
 */
export interface ErrorInStreamBehavior extends Content, Pace {
  kind: 'errorInStream';
  afterChunks: number;
  error: Failure;
}

/**
 * A good answer, or a variant of it: `missingDone` (finish reason, no end marker), `emptyAnswer` (no
 * content), `commentsAndCrLf` (everything that the stream format permits). Without streaming the first two
 * are ordinary bodies and the last is JSON with CRLF and much white space.
 */
export interface AnswerBehavior extends Content, Pace {
  kind: 'answer' | 'missingDone' | 'emptyAnswer' | 'commentsAndCrLf';
}

/** Sends status 200 and exactly these bytes for any request. */
export interface VerbatimBehavior extends Content, Pace {
  kind: 'verbatim';
  body: string;
}

/**
 * The provider's reaction to one request, streaming or not. The counted chunks are output chunks: text,
 * reasoning and tool deltas, not the frames that open and close a stream.
 */
export type Behavior =
  | AnswerBehavior
  | GatedAnswer
  | ErrorBehavior
  | ResetBehavior
  | SilenceBehavior
  | DripBehavior
  | CutBehavior
  | MalformedChunkBehavior
  | ErrorInStreamBehavior
  | VerbatimBehavior;

/** A behavior that begins to answer. */
export type AnsweringBehavior = Exclude<Behavior, ErrorBehavior | VerbatimBehavior>;
