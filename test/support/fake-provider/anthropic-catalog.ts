import type { ErrorType } from '@anthropic-ai/sdk/resources/shared';
import type { MessageTokensCount } from '@anthropic-ai/sdk/resources/messages';
import type { ModelInfo } from '@anthropic-ai/sdk/resources/models';

import { countWords } from './answer.js';
import type { Failure } from './script.js';
import { elements, property } from './unknown-value.js';
import type { Catalog, JsonReply, Route } from './provider-protocol.js';

interface ErrorDefaults {
  /** `request_too_large` exists in the protocol, but not in the official types. */
  type: ErrorType | 'request_too_large';
  message: string;
}

const DEFAULTS: Readonly<Record<number, ErrorDefaults>> = {
  400: { type: 'invalid_request_error', message: 'messages: Field required' },
  401: { type: 'authentication_error', message: 'invalid x-api-key' },
  402: { type: 'billing_error', message: 'There is an issue with your billing.' },
  403: { type: 'permission_error', message: 'Your API key does not have permission to use this.' },
  404: { type: 'not_found_error', message: 'model: missing' },
  408: { type: 'timeout_error', message: 'The request timed out.' },
  409: { type: 'conflict_error', message: 'The resource is locked.' },
  413: { type: 'request_too_large', message: 'Request exceeds the maximum size' },
  422: { type: 'invalid_request_error', message: 'The request cannot be processed.' },
  429: {
    type: 'rate_limit_error',
    message: 'This request would exceed the rate limit for your organization.',
  },
  500: { type: 'api_error', message: 'Internal server error' },
  502: { type: 'api_error', message: 'Bad gateway' },
  503: { type: 'overloaded_error', message: 'Overloaded' },
  504: { type: 'timeout_error', message: 'Request timed out' },
  529: { type: 'overloaded_error', message: 'Overloaded' },
};

/** Scripts name failures by OpenAI's codes; this protocol identifies them by type and message. */
const BY_CODE: Readonly<Record<string, ErrorDefaults>> = {
  context_length_exceeded: {
    type: 'invalid_request_error',
    message: 'prompt is too long: 210000 tokens > 200000 maximum',
  },
  content_policy_violation: {
    type: 'invalid_request_error',
    message: 'Output blocked by content filtering policy',
  },
  rate_limit_exceeded: {
    type: 'rate_limit_error',
    message: 'This request would exceed the rate limit for your organization.',
  },
  insufficient_quota: {
    type: 'invalid_request_error',
    message: 'Your credit balance is too low to access the Anthropic API.',
  },
  overloaded: { type: 'overloaded_error', message: 'Overloaded' },
};

const UNKNOWN: ErrorDefaults = { type: 'api_error', message: 'Internal server error' };

/** Returns an error body of Anthropic, filled in from the code or the status (default 500). */
export function anthropicErrorBody(failure: Failure): string {
  const { type, message } = BY_CODE[failure.code ?? ''] ?? DEFAULTS[failure.status ?? 500] ?? UNKNOWN;
  return JSON.stringify({
    type: 'error',
    error: { type: failure.type ?? type, message: failure.message ?? message },
  });
}

/** Returns the text of a message, including tool results. */
export function messageText(message: unknown): string {
  const content = property(message, 'content');
  if (typeof content === 'string') return content;
  return elements(content)
    .map((block) => property(block, 'text') ?? messageText(block))
    .filter((text) => typeof text === 'string')
    .join('');
}

/** Returns the text of a request: the system prompt, then the messages. */
export function promptText(body: unknown): string {
  const system = messageText({ content: property(body, 'system') });
  return [system, ...elements(property(body, 'messages')).map(messageText)].join(' ').trim();
}

/** Answers the routes besides chat: the models, page by page, one model, and the token count of a prompt. */
export function anthropicLookUp(
  _route: Exclude<Route, 'chat'>,
  path: string,
  body: unknown,
  catalog: Catalog,
  query: URLSearchParams,
): JsonReply {
  if (path === '/v1/messages/count_tokens') {
    return ok({ input_tokens: countWords(promptText(body)) } satisfies MessageTokensCount);
  }
  const id = decodeURIComponent(path.slice('/v1/models/'.length));
  if (id === '') return ok(page(catalog.models, query));
  return catalog.models.includes(id)
    ? ok(describe(id))
    : { status: 404, body: anthropicErrorBody({ status: 404, message: `model: ${id}` }) };
}

function page(models: readonly string[], query: URLSearchParams): object {
  const from = models.indexOf(query.get('after_id') ?? '') + 1;
  const shown = models.slice(from, from + Number(query.get('limit') ?? 20));
  return {
    data: shown.map(describe),
    has_more: from + shown.length < models.length,
    first_id: shown[0] ?? null,
    last_id: shown.at(-1) ?? null,
  };
}

function describe(id: string): Pick<ModelInfo, 'type' | 'id' | 'display_name' | 'created_at'> {
  return { type: 'model', id, display_name: id, created_at: '2026-01-01T00:00:00Z' };
}

function ok(value: object): JsonReply {
  return { status: 200, body: JSON.stringify(value) };
}
