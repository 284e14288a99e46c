import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, getSchemaPath } from '@nestjs/swagger';
import type { ErrorCode } from '../../../common/errors.js';
import { ApiErrors, ApiIdempotencyKey } from '../../../http/index.js';
import { AnswerBody } from './answer.dto.js';

/** Error codes of a turn that is rejected before anything is stored. */
const REFUSALS = [
  'invalid_request',
  'unauthorized',
  'not_found',
  'model_not_found',
  'conversation_busy',
  'idempotency_key_reused',
  'payload_too_large',
  'unsupported_media_type',
  'price_unknown',
  'rate_limit_exceeded',
  'quota_exceeded',
  'provider_unavailable',
] as const satisfies readonly ErrorCode[];

/** Error codes of a model call that fails after that. */
const FAILURES = [
  'provider_rejected',
  'context_length_exceeded',
  'content_policy_violation',
  'output_parse_error',
  'provider_rate_limited',
  'provider_error',
  'overloaded',
  'provider_timeout',
] as const satisfies readonly ErrorCode[];

const EVENTS_EXAMPLE = `id: 1.0
data: {"delta":"","conversation_id":"0199…","message_id":"0199…","finished":false}

id: 1.7
data: {"delta":"Because","conversation_id":"0199…","message_id":"0199…","finished":false}

id: 1.46
data: {"delta":"","finished":true,"conversation_id":"0199…","message_id":"0199…","model":"demo/echo","tokens_used":46,"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46},"cost_estimate":0,"finish_reason":"stop","cached":false}

data: [DONE]
`;

/** Documents an answer as Server-Sent Events. */
export const EVENT_STREAM_CONTENT = {
  'text/event-stream': { schema: { type: 'string' }, example: EVENTS_EXAMPLE },
};

/** Documents a route that responds like `/api/v1/chat`. */
export function ApiAnswer(): MethodDecorator {
  return applyDecorators(
    ApiIdempotencyKey(),
    ApiExtraModels(AnswerBody),
    ApiOkResponse({
      description: 'The answer; with `stream`, the answer as it is generated, as on `/api/v1/chat/stream`.',
      content: {
        'application/json': { schema: { $ref: getSchemaPath(AnswerBody) } },
        ...EVENT_STREAM_CONTENT,
      },
    }),
    ApiErrors(...REFUSALS, ...FAILURES),
  );
}

/** Documents a route that responds like `/api/v1/chat/stream`. */
export function ApiAnswerStream(): MethodDecorator {
  return applyDecorators(
    ApiIdempotencyKey(),
    ApiOkResponse({ description: 'The answer, as it is generated.', content: EVENT_STREAM_CONTENT }),
    ApiErrors(...REFUSALS),
  );
}
