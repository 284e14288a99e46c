import { AppError } from '../../../common/errors.js';
import type { ChatRequest } from '../../port/index.js';
import { type OllamaMessage, toOllamaMessages } from './ollama-messages.js';

/** Sampling options. Undefined fields are not sent: the model's own setting then applies. */
export interface OllamaOptions {
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly num_predict?: number | undefined;
  readonly stop?: string[] | undefined;
  readonly seed?: number | undefined;
  readonly presence_penalty?: number | undefined;
  readonly frequency_penalty?: number | undefined;
}

/** A tool that the model may call. */
export interface OllamaTool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string | undefined;
    readonly parameters: object;
  };
}

/** The thinking mode: off, or a level for models that support levels. */
export type OllamaThink = false | 'low' | 'medium' | 'high';

/** A request of `POST /api/chat`. */
export interface OllamaChatRequest {
  readonly model: string;
  readonly messages: OllamaMessage[];
  readonly stream: true;
  readonly truncate: false;
  readonly options: OllamaOptions;
  readonly tools?: OllamaTool[] | undefined;
  /** `json`, or a JSON schema. */
  readonly format?: 'json' | object | undefined;
  readonly think?: OllamaThink | undefined;
}

/**
 * Converts a canonical request to Ollama's API format.
 * https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
 *
 * @throws AppError `invalid_request` for content that the API format has no field for
 */
export function toOllamaRequest(model: string, request: ChatRequest): OllamaChatRequest {
  return {
    model,
    messages: toOllamaMessages(request.messages),
    stream: true,
    // Without it the server silently drops the oldest messages of a conversation that is too long.
    truncate: false,
    options: optionsOf(request),
    tools: toolsOf(request),
    format: formatOf(request.response_format),
    think: thinkOf(request.reasoning_effort),
  };
}

function optionsOf(request: ChatRequest): OllamaOptions {
  return {
    temperature: request.temperature ?? undefined,
    top_p: request.top_p ?? undefined,
    num_predict: request.max_completion_tokens ?? request.max_tokens ?? undefined,
    stop: typeof request.stop === 'string' ? [request.stop] : (request.stop ?? undefined),
    seed: request.seed ?? undefined,
    presence_penalty: request.presence_penalty ?? undefined,
    frequency_penalty: request.frequency_penalty ?? undefined,
  };
}

function toolsOf({ tools, tool_choice: choice }: ChatRequest): OllamaTool[] | undefined {
  // The protocol has no field for the choice; omitting the tools has the effect of `none`.
  if (tools === undefined || tools.length === 0 || choice === 'none') return undefined;
  return tools.map((tool) => {
    if (tool.type !== 'function') {
      const message = `An Ollama server does not support tools of type '${tool.type}'.`;
      throw new AppError('invalid_request', message, { param: 'tools' });
    }
    const { name, description, parameters } = tool.function;
    return {
      type: 'function',
      // The server requires parameters.
      function: { name, description, parameters: parameters ?? { type: 'object', properties: {} } },
    };
  });
}

function formatOf(format: ChatRequest['response_format']): OllamaChatRequest['format'] {
  switch (format?.type) {
    case undefined:
    case 'text':
      return undefined;
    case 'json_object':
      return 'json';
    case 'json_schema':
      return format.json_schema.schema ?? 'json';
  }
}

function thinkOf(effort: ChatRequest['reasoning_effort']): OllamaThink | undefined {
  switch (effort) {
    case undefined:
    case null:
      return undefined;
    case 'none':
      return false;
    case 'minimal':
    case 'low':
      return 'low';
    case 'medium':
      return 'medium';
    case 'high':
    case 'xhigh':
    case 'max':
      return 'high';
  }
}
