import type { IncomingHttpHeaders } from 'node:http';

import type { Failure, FinishReason, ScriptedUsage } from './script.js';

/** What a request is about, whichever wire it speaks; `models` is all that is asked about models. */
export type Route = 'chat' | 'models' | 'embeddings';

/** What the answer to a chat request depends on. */
export interface ChatRequest {
  model: string;
  stream: boolean;
  /** Whether usage belongs into the stream. */
  usageInStream: boolean;
  /** The text of all messages, and of the last one that the user wrote. */
  promptText: string;
  lastUserText: string;
}

/** A tool call with its argument fragments. */
export interface ToolCall {
  id: string;
  name: string;
  fragments: readonly string[];
}

/** A finished answer, ready to be put on any wire. */
export interface Answer {
  /** Without the wire's own prefix. */
  id: string;
  /** Unix time in seconds. */
  created: number;
  model: string;
  reasoning: readonly string[];
  text: readonly string[];
  toolCalls: readonly ToolCall[];
  finishReason: FinishReason;
  /** Undefined: the provider reports none. */
  usage: ScriptedUsage | undefined;
  usageInStream: boolean;
}

/** One event of a stream: a JSON text or an end marker, with the event's name where the wire has names. */
export interface Frame {
  event?: string;
  data: string;
}

/** The frames of a whole stream, in order. */
export interface StreamFrames {
  /** Before the first output. */
  opening: readonly Frame[];
  /** One frame for each delta. */
  outputs: readonly Frame[];
  /** Finish reason and usage. */
  closing: readonly Frame[];
  /** The end marker. */
  terminator: readonly Frame[];
}

/** `plain`: as the provider writes it. `awkward`: with every liberty that the format allows. */
export type FrameStyle = 'plain' | 'awkward';

/** A JSON reply with its status. */
export interface JsonReply {
  status: number;
  body: string;
}

/** What the provider has on offer besides chat. */
export interface Catalogue {
  models: readonly string[];
  embeddingDimensions: number;
}

/** One provider's way of speaking; knows nothing of sockets and faults. */
export interface Wire {
  /** The response header that names the request. */
  readonly requestIdHeader: string;
  /** The content type of a stream. */
  readonly streamType: string;
  /** A keep-alive that carries nothing. */
  readonly ping: string;
  /** The route of a request, if it belongs to this wire; headers tell wires with a common path apart. */
  route(method: string, path: string, headers: IncomingHttpHeaders): Route | undefined;
  /** Whether the credentials match. */
  authorised(headers: IncomingHttpHeaders, apiKey: string): boolean;
  /** Reads a chat request; undefined: it is not one. */
  readChat(body: unknown): ChatRequest | undefined;
  /** The reply to a request that is not chat. */
  lookUp(
    route: Exclude<Route, 'chat'>,
    path: string,
    body: unknown,
    catalogue: Catalogue,
    query: URLSearchParams,
  ): JsonReply;
  /** The answer as one JSON body. */
  body(answer: Answer): string;
  /** The answer as a stream. */
  frames(answer: Answer): StreamFrames;
  /** A frame as it goes over the socket. */
  encode(frame: Frame, style: FrameStyle): string;
  /** An error as a JSON body. */
  errorBody(failure: Failure): string;
  /** An error in mid-stream. */
  errorFrame(failure: Failure): Frame;
}
