import type { IncomingHttpHeaders } from 'node:http';

import type { Failure, FinishReason, ScriptedUsage } from './script.js';

/** The subject of a request in any protocol; `models` includes every request about models. */
export type Route = 'chat' | 'models' | 'embeddings';

/** The parts of a chat request on which the answer depends. */
export interface ChatRequest {
  model: string;
  stream: boolean;
  /** True if the stream must include usage. */
  usageInStream: boolean;
  /** The text of all messages, and of the last user message. */
  promptText: string;
  lastUserText: string;
}

/** A tool call with its argument fragments. */
export interface ToolCall {
  id: string;
  name: string;
  fragments: readonly string[];
}

/** A finished answer that any protocol can encode. */
export interface Answer {
  /** The id without the protocol's prefix. */
  id: string;
  /** Unix time in seconds. */
  created: number;
  model: string;
  reasoning: readonly string[];
  text: readonly string[];
  toolCalls: readonly ToolCall[];
  finishReason: FinishReason;
  /** Undefined if the provider reports no usage. */
  usage: ScriptedUsage | undefined;
  usageInStream: boolean;
}

/** An event of a stream: a JSON text or an end marker, with a name if the protocol has event names. */
export interface Frame {
  event?: string;
  data: string;
}

/** The frames of a whole stream, in order. */
export interface StreamFrames {
  /** Sent before the first output. */
  opening: readonly Frame[];
  /** One frame for each delta. */
  outputs: readonly Frame[];
  /** Finish reason and usage. */
  closing: readonly Frame[];
  /** The end marker. */
  terminator: readonly Frame[];
}

/** `plain`: as the provider writes it. `awkward`: with everything that the format permits. */
export type FrameStyle = 'plain' | 'awkward';

/** A JSON reply with its status. */
export interface JsonReply {
  status: number;
  body: string;
}

/** The models and embeddings of the provider. */
export interface Catalog {
  models: readonly string[];
  embeddingDimensions: number;
}

/** The protocol of one provider, without sockets and faults. */
export interface ProviderProtocol {
  /** The response header with the id of the request. */
  readonly requestIdHeader: string;
  /** The content type of a stream. */
  readonly streamType: string;
  /** A keep-alive without content. */
  readonly ping: string;
  /**
   * Returns the route of a request if it belongs to this protocol; headers distinguish protocols with a
   * common path.
   */
  route(method: string, path: string, headers: IncomingHttpHeaders): Route | undefined;
  /** Checks the credentials. */
  authorized(headers: IncomingHttpHeaders, apiKey: string): boolean;
  /** Reads a chat request, or returns undefined if it is not one. */
  readChat(body: unknown): ChatRequest | undefined;
  /** Returns the reply to a request other than chat. */
  lookUp(
    route: Exclude<Route, 'chat'>,
    path: string,
    body: unknown,
    catalog: Catalog,
    query: URLSearchParams,
  ): JsonReply;
  /** Encodes the answer as one JSON body. */
  body(answer: Answer): string;
  /** Encodes the answer as a stream. */
  frames(answer: Answer): StreamFrames;
  /** Encodes a frame for the socket. */
  encode(frame: Frame, style: FrameStyle): string;
  /** Encodes an error as a JSON body. */
  errorBody(failure: Failure): string;
  /** Encodes an error in mid-stream. */
  errorFrame(failure: Failure): Frame;
}
