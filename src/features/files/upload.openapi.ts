import type { SchemaObject } from '../../http/index.js';
import { DEFAULT_PURPOSE, FILE_PURPOSES } from './file-purpose.js';

/** Schemas of the text fields of an upload form. */
export const UPLOAD_SCHEMA: { readonly properties: Record<string, SchemaObject> } = {
  properties: {
    purpose: {
      type: 'string',
      enum: [...FILE_PURPOSES],
      default: DEFAULT_PURPOSE,
      description: 'Purpose of the file.',
    },
    'expires_after[anchor]': {
      type: 'string',
      enum: ['created_at'],
      description: 'Start of the lifetime of the file; required with `expires_after[seconds]`.',
    },
    'expires_after[seconds]': {
      type: 'integer',
      minimum: 3600,
      maximum: 2_592_000,
      description:
        'Lifetime of the file in seconds: an hour to 30 days. Without it, the file does not expire.',
    },
  },
};
