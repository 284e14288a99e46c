import { describe, expect, it } from '@jest/globals';
import { ProviderError } from '../../port/index.js';
import { HostRefusal } from './host-refusal.js';
import { findRequestChange, type RequestChange } from './request-changes.js';

const ALL: ReadonlySet<RequestChange> = new Set<RequestChange>([
  'without_default_temperature',
  'other_limit_name',
  'without_stream_options',
  'with_encoding_format',
  'without_returned_fields',
  'with_reasoning_placeholder',
  'with_signature_placeholder',
  'with_alternating_roles',
  'short_call_ids',
  'nine_character_call_ids',
]);

const openai = (message: string, param: string | null = null, code: string | null = null): object => ({
  error: { message, type: 'invalid_request_error', param, code },
});
const pydantic = (...loc: (string | number)[]): object => ({
  type: 'extra_forbidden',
  loc: ['body', ...loc],
  msg: 'Extra inputs are not permitted',
  input: { temperature: 1, stream_options: {} },
});

function changeFor(body: unknown, possible = ALL): RequestChange | undefined {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return findRequestChange(new HostRefusal(new ProviderError('rejected', 'x'), text).text, possible);
}

describe('findRequestChange', () => {
  it.each<[string, unknown, RequestChange | undefined]>([
    [
      'OpenAI refuses a temperature',
      openai(
        "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported.",
        'temperature',
        'unsupported_value',
      ),
      'without_default_temperature',
    ],
    [
      'Kimi allows one temperature',
      openai('invalid temperature: only 1 is allowed for this model'),
      'without_default_temperature',
    ],
    [
      'Azure wants the new name',
      openai(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        'max_tokens',
        'unsupported_parameter',
      ),
      'other_limit_name',
    ],
    [
      'Mistral wants the old name',
      { object: 'error', message: { detail: [pydantic('max_completion_tokens')] }, code: null },
      'other_limit_name',
    ],
    [
      'a limit that is too large has no better name',
      openai('max_tokens is too large: 300000. This model supports at most 16384 completion tokens. invalid'),
      undefined,
    ],
    [
      'vLLM refuses stream_options in the words of Python',
      {
        object: 'error',
        message:
          "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not permitted'}]",
        code: 400,
      },
      'without_stream_options',
    ],
    [
      'Mistral refuses reasoning in a message',
      { detail: [pydantic('messages', 1, 'assistant', 'reasoning_content')] },
      'without_returned_fields',
    ],
    [
      'DeepSeek misses reasoning',
      openai('Missing `reasoning_content` field in the assistant message at message index 2.'),
      'with_reasoning_placeholder',
    ],
    [
      'DeepSeek misses it in newer words',
      openai('The `reasoning_content` in the thinking mode must be passed back to the API.'),
      'with_reasoning_placeholder',
    ],
    [
      'Gemini misses a signature',
      [
        {
          error: {
            code: 400,
            message: 'Function call is missing a thought_signature in functionCall parts.',
          },
        },
      ],
      'with_signature_placeholder',
    ],
    [
      'Mistral wants other ids',
      { object: 'error', message: 'Tool call id was call_a but must be a-z, A-Z, 0-9, with a length of 9.' },
      'nine_character_call_ids',
    ],
    [
      'OpenAI wants shorter ids',
      openai(
        "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 43 instead.",
        'messages[2].tool_calls[0].id',
        'string_above_max_length',
      ),
      'short_call_ids',
    ],
    [
      'Mistral misses an answer between a result and a question',
      { object: 'error', message: "Unexpected role 'user' after role 'tool'" },
      'with_alternating_roles',
    ],
    [
      'a host insists on a format',
      openai("encoding_format must be 'float' or 'base64'"),
      'with_encoding_format',
    ],
    ['plain text', 'unknown field stream_options', 'without_stream_options'],
    ['something else is wrong', openai('Not today.'), undefined],
    ['what was sent is repeated', { detail: [pydantic('seed')] }, undefined],
  ])('finds the change for the refusal: %s', (_what, body, change) => {
    expect(changeFor(body)).toBe(change);
  });

  it('does not return a change that would make no difference', () => {
    const body = openai("Unsupported value: 'temperature'", 'temperature', 'unsupported_value');
    expect(changeFor(body, new Set(['other_limit_name' as const]))).toBeUndefined();
  });
});
