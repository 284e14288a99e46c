import { type BatchEndpoint, BATCH_LIMITS } from '../model/batch.js';
import type { InputLine, ParsedLine } from '../model/input-line.js';

/** NUL and lone surrogates, which the database cannot store. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

/**
 * Returns the parser of one file of requests in OpenAI's format. It remembers the model of the first request, because
 * all of them must name the same.
 */
export function parseOpenAiLine(endpoint: BatchEndpoint): (json: unknown) => ParsedLine {
  let first: Pick<InputLine, 'model'> | undefined;
  return (json) => {
    const parsed = parseLine(json, endpoint);
    if ('fault' in parsed) return parsed;
    first ??= parsed.line;
    if (parsed.line.model === first.model) return parsed;
    return fault(
      'model_mismatch',
      'body.model',
      `All requests of a batch must name the same model. The first one names ${named(first.model)}, this one ${named(parsed.line.model)}.`,
    );
  };
}

function parseLine(json: unknown, endpoint: BatchEndpoint): ParsedLine {
  if (!isObject(json)) return fault('invalid_json_line', null, 'This line is not a JSON object.');
  const { custom_id: customId, method, url, body } = json;
  for (const [name, value] of Object.entries({ custom_id: customId, method, url, body })) {
    if (value === undefined || value === null)
      return fault('missing_required_parameter', name, `The request has no ${name}.`);
  }
  if (typeof customId !== 'string' || customId === '' || customId.length > BATCH_LIMITS.customIdLength)
    return fault(
      'invalid_custom_id',
      'custom_id',
      `custom_id must be a text of 1 to ${BATCH_LIMITS.customIdLength} characters.`,
    );
  if (UNSTORABLE.test(customId))
    return fault(
      'invalid_custom_id',
      'custom_id',
      'custom_id must not contain NUL characters or lone surrogates.',
    );
  if (method !== 'POST') return fault('invalid_method', 'method', 'method must be POST.');
  // Batches of batches are refused here too: their route is never that of a batch.
  if (url !== endpoint)
    return fault('url_mismatch', 'url', `url must be ${endpoint}, the endpoint of the batch.`);
  if (!isObject(body)) return fault('invalid_body', 'body', 'body must be a JSON object.');
  const { model } = body;
  return { line: { customId, body, model: typeof model === 'string' ? model : undefined } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function named(model: string | undefined): string {
  return model === undefined ? 'none' : `'${model}'`;
}

function fault(code: string, param: string | null, message: string): ParsedLine {
  return { fault: { code, message, param } };
}
