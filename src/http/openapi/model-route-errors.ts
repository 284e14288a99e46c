import type { OpenAPIObject } from '@nestjs/swagger';
import type { ErrorCode } from '../../common/errors.js';

type SchemaOrReference = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

/**
 * A hand-written schema of the OpenAPI document, for API formats of other vendors, which have no DTO classes here.
 */
export type SchemaObject = Exclude<SchemaOrReference, { $ref: string }>;

/** Errors of a model call on the compatible routes. */
export const MODEL_ERRORS = [
  'invalid_request',
  'unauthorized',
  'model_not_found',
  'payload_too_large',
  'unsupported_media_type',
  'provider_rejected',
  'context_length_exceeded',
  'content_policy_violation',
  'price_unknown',
  'rate_limit_exceeded',
  'quota_exceeded',
  'provider_rate_limited',
  'provider_error',
  'provider_unavailable',
  'overloaded',
  'provider_timeout',
] as const satisfies readonly ErrorCode[];
