import { ERROR_TYPES } from '../../../src/gateway/anthropic/errors.js';
import { ERROR_TABLE } from '../../../src/http/errors/error-table.js';
import { at, listAt } from '../client.js';
import { misfits } from '../schema-check.js';
import type { Expectation } from './draft.js';
import type { Operation, ApiFormat } from './operations.js';
import type { RawAnswer } from './raw-request.js';

/**
 * Statuses of the body parser and the guards before a route, which the route's own documentation may omit.
 */
const BEFORE_ROUTES = [401, 404, 413, 415];

const ERROR_BODY = { $ref: '#/components/schemas/ErrorBody' };

/** Describes every fault of a response in a sentence each. */
export function faultsOf(
  document: unknown,
  operation: Operation,
  expected: Expectation,
  answer: RawAnswer,
): string[] {
  const { status, headers } = answer;
  const { statuses, hostile = false } = expected;
  // The provider of the run is reliable, so its failures are bugs of this server too.
  if (status >= 500) return [`It is a ${status}.`];
  // HTTP's own status for a conditional request.
  if (status === 304 && hostile) return answer.text === '' ? [] : ['A 304 has a body.'];
  const documented = status in operation.responses || (hostile && BEFORE_ROUTES.includes(status));
  return [
    ...(documented || expected.astray ? [] : [`${status} is not documented.`]),
    ...(statuses === undefined || statuses.includes(status) ? [] : [`It is none of ${statuses.join(', ')}.`]),
    ...(/^[\w.:-]{1,128}$/.test(String(headers['x-request-id'])) ? [] : ['It names no request.']),
    ...(status >= 400
      ? refusalFaults(document, operation.apiFormat, expected, answer)
      : goodFaults(document, operation, expected, answer)),
  ];
}

function refusalFaults(
  document: unknown,
  apiFormat: ApiFormat,
  { field }: Expectation,
  { status, headers, text }: RawAnswer,
): string[] {
  if (!isJson(headers['content-type'])) return [`An error is ${String(headers['content-type'])}.`];
  const body = parsed(text);
  if (body === undefined) return ['An error is no JSON.'];
  const requestId = headers['x-request-id'];
  switch (apiFormat) {
    case 'anthropic':
      return anthropicFaults(body, requestId);
    case 'ollama':
      return misfits(document, { $ref: '#/components/schemas/OllamaErrorBody' }, body);
    case 'own':
      return [
        ...misfits(document, ERROR_BODY, body),
        ...(statusOf(at(body, 'error', 'code')) === status ? [] : ['The code is of another status.']),
        ...(at(body, 'request_id') === requestId ? [] : ['The request has two ids.']),
        ...(field === undefined || fieldsOf(body).includes(field)
          ? []
          : [`The error does not name ${field}.`]),
      ];
  }
}

function anthropicFaults(body: unknown, requestId: unknown): string[] {
  const schema = {
    type: 'object',
    required: ['type', 'error', 'request_id'],
    properties: {
      type: { type: 'string', enum: ['error'] },
      error: {
        type: 'object',
        required: ['type', 'message'],
        properties: {
          type: { type: 'string', enum: Object.values(ERROR_TYPES) },
          message: { type: 'string' },
        },
      },
      request_id: { type: 'string', enum: [requestId] },
    },
  };
  return misfits({}, schema, body);
}

function statusOf(code: unknown): number | undefined {
  return Object.entries(ERROR_TABLE).find(([name]) => name === code)?.[1].status;
}

/** Returns the outermost names of the fields that an error reports. */
function fieldsOf(body: unknown): string[] {
  const details = at(body, 'error', 'details') === undefined ? [] : listAt(body, 'error', 'details');
  const named = [at(body, 'error', 'param'), ...details.map((detail) => at(detail, 'field'))];
  return named.map((field) => String(field).split('.')[0] ?? '');
}

function goodFaults(
  document: unknown,
  { responses }: Operation,
  { astray = false }: Expectation,
  { status, headers, text }: RawAnswer,
): string[] {
  if (status === 204 || status === 304) return text === '' ? [] : [`A ${status} has a body.`];
  const type = headers['content-type']?.split(';')[0] ?? '';
  if (astray) return isJson(type) && parsed(text) === undefined ? ['The answer is no JSON.'] : [];
  const documented = at(responses, String(status), 'content');
  // Bytes of any type, which cannot be checked.
  if (at(documented, '*/*') !== undefined) return [];
  const content = at(documented, type);
  if (content === undefined) return [`Content of type "${type}" is not documented.`];
  if (type === 'text/event-stream') return eventFaults(text);
  if (type === 'text/markdown') return text.startsWith('# ') ? [] : ['The answer has no title.'];
  if (type === 'application/x-ndjson') return lineFaults(text.split('\n').filter((line) => line !== ''));
  if (type === 'application/jsonl')
    return resultFaults(
      document,
      text.split('\n').filter((line) => line !== ''),
    );
  const body = parsed(text);
  if (body === undefined) return ['The answer is no JSON.'];
  return [
    ...misfits(document, at(content, 'schema'), body),
    ...misfitsOfExample(at(content, 'example'), body),
  ];
}

/** Each line is a result of a batch. */
function resultFaults(document: unknown, lines: readonly string[]): string[] {
  const schema = { $ref: '#/components/schemas/ResultBody' };
  return lines.flatMap((line) => misfits(document, schema, parsed(line)));
}

/** For an open schema, requires the fields of its example; only Ollama omits counts of zero. */
function misfitsOfExample(example: unknown, body: unknown): string[] {
  const shown = typeof example === 'object' && example !== null ? Object.keys(example) : [];
  return shown
    .filter((name) => at(body, name) === undefined && !name.endsWith('_count'))
    .map((name) => `The answer has no ${name}.`);
}

function eventFaults(text: string): string[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith(':'));
  const strange = lines.filter((line) => !/^(data|id|event|retry): ?/.test(line));
  const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim());
  return [
    ...strange.map((line) => `An event has the line ${JSON.stringify(line)}.`),
    ...(text.endsWith('\n\n') ? [] : ['The last event has no end.']),
    ...lineFaults(data.filter((line) => line !== '[DONE]')),
  ];
}

function lineFaults(lines: readonly string[]): string[] {
  return [
    ...(lines.length > 0 ? [] : ['The stream is empty.']),
    ...lines.filter((line) => parsed(line) === undefined).map((line) => `No JSON is streamed: ${line}`),
    ...lines.filter((line) => line.includes('internal_error')).map((line) => `A stream fails: ${line}`),
  ];
}

function isJson(type: string | undefined): boolean {
  return type?.split(';')[0] === 'application/json';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
