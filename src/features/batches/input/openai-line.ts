import type { BatchEndpoint } from '../model/batch.js';
import { CUSTOM_ID_FAULT, isCustomId } from '../model/custom-id.js';
import type { InputLine, ParsedLine } from '../model/input-line.js';
import { isFields } from './shared-fields.js';

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
  if (!isFields(json)) return fault('invalid_json_line', null, 'This line is not a JSON object.');
  const { custom_id: customId, method, url, body } = json;
  for (const [name, value] of Object.entries({ custom_id: customId, method, url, body })) {
    if (value === undefined || value === null)
      return fault('missing_required_parameter', name, `The request has no ${name}.`);
  }
  if (!isCustomId(customId)) return { fault: CUSTOM_ID_FAULT };
  if (method !== 'POST') return fault('invalid_method', 'method', 'method must be POST.');
  // Batches of batches are refused here too: their route is never that of a batch.
  if (url !== endpoint)
    return fault('url_mismatch', 'url', `url must be ${endpoint}, the endpoint of the batch.`);
  if (!isFields(body)) return fault('invalid_body', 'body', 'body must be a JSON object.');
  const { model } = body;
  return { line: { customId, body, model: typeof model === 'string' ? model : undefined } };
}

function named(model: string | undefined): string {
  return model === undefined ? 'none' : `'${model}'`;
}

function fault(code: string, param: string | null, message: string): ParsedLine {
  return { fault: { code, message, param } };
}
