import type { SchemaObject } from 'ajv';

/** The validated fields of both routes. All others are up to the server and pass through. */
const PARAMETERS = {
  // Printable characters: the ledger stores the name of every requested model, and cannot store NUL and lone
  // surrogates.
  model: { type: 'string', minLength: 1, maxLength: 256, pattern: '^[^\\p{Cc}\\p{Cs}]+$' },
  stream: { type: ['boolean', 'null'] },
} as const;

/** `POST /api/chat`. Without messages it loads or unloads the model. */
export const OLLAMA_CHAT: SchemaObject = {
  type: 'object',
  required: ['model'],
  properties: {
    ...PARAMETERS,
    messages: {
      type: ['array', 'null'],
      items: {
        type: 'object',
        properties: { role: { type: 'string' }, content: { type: ['string', 'null'] } },
      },
    },
  },
};

/** `POST /api/generate`. Without a prompt it loads or unloads the model. */
export const OLLAMA_GENERATE: SchemaObject = {
  type: 'object',
  required: ['model'],
  properties: {
    ...PARAMETERS,
    prompt: { type: ['string', 'null'] },
    system: { type: ['string', 'null'] },
  },
};
