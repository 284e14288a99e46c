import type { GatedAnswer } from './gated-answer.js';

/** Why a model stopped, in the words of Chat Completions; other wires translate it. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/** Token counts of one answer; the total is computed. */
export interface ScriptedUsage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number; audio_tokens?: number };
  completion_tokens_details?: { reasoning_tokens?: number; audio_tokens?: number };
}

/** One tool call of an answer. */
export interface ScriptedToolCall {
  /** Default: `call_<index>`. */
  id?: string;
  name: string;
  /** The JSON text of the arguments; an array gives the exact fragments of a stream. */
  arguments: string | readonly string[];
}

/** What the model says. Everything left out has a deterministic default. */
export interface Content {
  /** A string is streamed word by word, an array gives the exact deltas. Default: the last user message. */
  text?: string | readonly string[];
  /** Thoughts sent before the text (`reasoning_content` on the OpenAI wire). */
  reasoning?: string | readonly string[];
  /** With tool calls and no `text` there is no text, and the finish reason is `tool_calls`. */
  toolCalls?: readonly ScriptedToolCall[];
  /** The model named in the reply. Default: the one asked for. */
  model?: string;
  finishReason?: FinishReason;
  /** Default: words counted as tokens. `none`: the provider reports no usage anywhere. */
  usage?: ScriptedUsage | 'none';
  /** Leave the usage out of a stream although it was asked for. */
  ignoreUsageRequest?: boolean;
}

/** How the bytes leave the server. */
export interface Pace {
  /** Wait before the status line, in milliseconds. */
  delayBeforeMs?: number;
  /** Wait between the frames of a stream, in milliseconds. */
  delayBetweenChunksMs?: number;
  /** Write the body in pieces of this many bytes, through code points and frames alike. */
  splitBytes?: number;
}

/** The error object of a provider; the wire fills in what is missing from the status. */
export interface Failure {
  status?: number;
  code?: string | null;
  message?: string;
  type?: string;
  param?: string | null;
}

/** A refusal with an HTTP error status. */
export interface ErrorBehaviour extends Failure, Pace {
  kind: 'error';
  status: number;
  /** `Retry-After`: seconds or a date. */
  retryAfter?: number | Date;
  /** `retry-after-ms`. */
  retryAfterMs?: number;
  /** Further response headers. */
  headers?: Readonly<Record<string, string>>;
  /** A body that is not JSON, as a proxy in between would send it. */
  body?: 'html' | 'empty';
}

/** The connection is reset (RST). `afterChunks` 0 or absent: before any byte; else in mid-answer. */
export interface ResetBehaviour extends Content, Pace {
  kind: 'reset';
  afterChunks?: number;
}

/**
 * The provider stops talking and holds the connection until the client leaves: before the headers, after
 * them, or after `afterChunks` output chunks (in mid-body without streaming).
 */
export interface SilenceBehaviour extends Content, Pace {
  kind: 'silence';
  afterHeaders?: boolean;
  afterChunks?: number;
  /** Keep a silent stream warm with comments, which are bytes but no tokens. Needs sent headers. */
  pingEveryMs?: number;
}

/** Slow but alive: one frame, or one byte, every `chunkMs` (an eighth of the body without streaming). */
export interface DripBehaviour extends Content, Pace {
  kind: 'drip';
  chunkMs: number;
  unit?: 'chunk' | 'byte';
}

/** A clean end after `afterChunks` output chunks, with no finish reason; a truncated JSON body otherwise. */
export interface CutBehaviour extends Content, Pace {
  kind: 'cut';
  afterChunks: number;
}

/** A broken JSON frame put before output chunk `at` of a stream that is otherwise complete; else a broken body. */
export interface MalformedChunkBehaviour extends Content, Pace {
  kind: 'malformedChunk';
  at: number;
}

/** An error frame after `afterChunks` output chunks, then the end; a 200 with an error body otherwise. */
export interface ErrorInStreamBehaviour extends Content, Pace {
  kind: 'errorInStream';
  afterChunks: number;
  error: Failure;
}

/**
 * A good answer, or one of its oddities: `missingDone` (finish reason, no end marker), `emptyAnswer` (no
 * content), `commentsAndCrLf` (every liberty that the stream format allows). Without streaming the first two
 * are ordinary bodies and the last is JSON with CRLF and much white space.
 */
export interface AnswerBehaviour extends Content, Pace {
  kind: 'answer' | 'missingDone' | 'emptyAnswer' | 'commentsAndCrLf';
}

/** A good status and exactly these bytes, whatever was asked. */
export interface VerbatimBehaviour extends Content, Pace {
  kind: 'verbatim';
  body: string;
}

/**
 * What the provider does with one request, streaming or not. Chunks that are counted are output chunks: text,
 * reasoning and tool deltas, not the frames that open and close a stream.
 */
export type Behaviour =
  | AnswerBehaviour
  | GatedAnswer
  | ErrorBehaviour
  | ResetBehaviour
  | SilenceBehaviour
  | DripBehaviour
  | CutBehaviour
  | MalformedChunkBehaviour
  | ErrorInStreamBehaviour
  | VerbatimBehaviour;

/** A behaviour that has begun to answer. */
export type AnsweringBehaviour = Exclude<Behaviour, ErrorBehaviour | VerbatimBehaviour>;
