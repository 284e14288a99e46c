import type { SchemaObject } from 'ajv';
import {
  BATCH_ENDPOINTS,
  BATCH_WINDOW_HOURS,
  type BatchEndpoint,
  METADATA_LIMITS,
} from '../../features/batches/index.js';

/** A request to create a batch whose body was validated. */
export interface BatchCreateBody {
  readonly input_file_id: string;
  readonly endpoint: BatchEndpoint;
  readonly completion_window: string;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly output_expires_after?: { readonly anchor: 'created_at'; readonly seconds: number } | null;
}

/** The only time within which a batch can be processed. */
export const COMPLETION_WINDOW = `${BATCH_WINDOW_HOURS}h`;

/** Bounds of the lifetime of result files in seconds, as in OpenAI's API. */
export const EXPIRY_SECONDS = { minimum: 3_600, maximum: 2_592_000 } as const;

/** Schema of a request to create a batch. */
export const BATCH_CREATE: SchemaObject = {
  type: 'object',
  required: ['input_file_id', 'endpoint', 'completion_window'],
  properties: {
    input_file_id: { type: 'string', minLength: 1, maxLength: 64 },
    endpoint: { enum: BATCH_ENDPOINTS },
    completion_window: { enum: [COMPLETION_WINDOW] },
    metadata: {
      type: ['object', 'null'],
      maxProperties: METADATA_LIMITS.fields,
      propertyNames: { maxLength: METADATA_LIMITS.nameLength },
      additionalProperties: { type: 'string', maxLength: METADATA_LIMITS.valueLength },
    },
    output_expires_after: {
      type: ['object', 'null'],
      required: ['anchor', 'seconds'],
      properties: { anchor: { enum: ['created_at'] }, seconds: { type: 'integer', ...EXPIRY_SECONDS } },
    },
  },
};
