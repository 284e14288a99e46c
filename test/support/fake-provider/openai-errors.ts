import type { Failure } from './script.js';

interface ErrorDefaults {
  type: string;
  code: string | null;
  message: string;
}

const DEFAULTS: Readonly<Record<number, ErrorDefaults>> = {
  400: { type: 'invalid_request_error', code: null, message: 'The request is not valid.' },
  401: { type: 'invalid_request_error', code: 'invalid_api_key', message: 'Incorrect API key provided.' },
  403: { type: 'invalid_request_error', code: 'permission_denied', message: 'You may not use this.' },
  404: { type: 'invalid_request_error', code: 'model_not_found', message: 'The model does not exist.' },
  408: { type: 'server_error', code: 'request_timeout', message: 'The request timed out.' },
  409: { type: 'invalid_request_error', code: 'conflict', message: 'The resource is locked.' },
  413: { type: 'invalid_request_error', code: 'request_too_large', message: 'The request is too large.' },
  422: { type: 'invalid_request_error', code: null, message: 'The request cannot be processed.' },
  429: { type: 'requests', code: 'rate_limit_exceeded', message: 'Rate limit reached for requests.' },
  500: { type: 'server_error', code: null, message: 'The server had an error.' },
  502: { type: 'server_error', code: null, message: 'Bad gateway.' },
  503: { type: 'server_error', code: 'overloaded', message: 'The engine is overloaded.' },
  504: { type: 'server_error', code: 'timeout', message: 'The engine did not answer in time.' },
  529: { type: 'server_error', code: 'overloaded', message: 'The site is overloaded.' },
};

const MESSAGES: Readonly<Record<string, string>> = {
  context_length_exceeded: "This model's maximum context length is 8192 tokens.",
  content_policy_violation: 'The request was rejected by the safety system.',
  insufficient_quota: 'You exceeded your current quota.',
};

const UNKNOWN: ErrorDefaults = { type: 'server_error', code: null, message: 'Something failed.' };

/** Returns an error body of OpenAI with all four fields, filled in from the status (default 500). */
export function openaiErrorBody(failure: Failure): string {
  const defaults = DEFAULTS[failure.status ?? 500] ?? UNKNOWN;
  const code = failure.code === undefined ? defaults.code : failure.code;
  const message = failure.message ?? (code === null ? undefined : MESSAGES[code]) ?? defaults.message;
  return JSON.stringify({
    error: { message, type: failure.type ?? defaults.type, param: failure.param ?? null, code },
  });
}
