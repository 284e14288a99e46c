import type { ItemResult } from '../model/batch-item.js';
import type { BatchTask } from '../model/batch-task.js';
import { type Fields, fieldOf, isFields } from '../input/shared-fields.js';
import type { ResultBody, ResultErrorBody, ResultsPageBody } from './batch-results.dto.js';
import { toBatchUsageBody } from './batch.mapper.js';

/** Form of the results. */
export interface ResultForm {
  readonly task: BatchTask;
  /** False to leave out the responses. */
  readonly withResponse: boolean;
}

/** Converts the result of an item to its API representation. */
export function toResultBody(item: ItemResult, { task, withResponse }: ResultForm): ResultBody {
  const body = parseResponse(item.response);
  const succeeded = item.status === 'completed' ? body : undefined;
  const response =
    item.responseStatus === null
      ? null
      : { status_code: item.responseStatus, request_id: item.requestId, body: body ?? null };
  return {
    custom_id: item.customId,
    line: item.line,
    status: item.status,
    text: task === 'chat' ? textOf(succeeded) : null,
    embedding: task === 'embed' ? embeddingOf(succeeded) : null,
    ...(withResponse && { response }),
    error: toError(item, body),
    usage: toBatchUsageBody(item.usage),
  };
}

/** Converts a page of results to its API representation. */
export function toResultsPage(
  { results, hasMore }: { readonly results: readonly ItemResult[]; readonly hasMore: boolean },
  form: ResultForm,
): ResultsPageBody {
  return {
    object: 'list',
    data: results.map((result) => toResultBody(result, form)),
    first_id: results[0]?.line ?? null,
    last_id: results.at(-1)?.line ?? null,
    has_more: hasMore,
  };
}

/** Parses the body of a response; undefined if it is not a JSON object. */
function parseResponse(response: string | null): Fields | undefined {
  if (response === null) return undefined;
  try {
    const body: unknown = JSON.parse(response);
    return isFields(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the text of the first choice. */
function textOf(body: Fields = {}): string | null {
  const choice = firstOf(body['choices']);
  const message = choice && fieldOf(choice, 'message');
  const content = isFields(message) ? fieldOf(message, 'content') : undefined;
  return typeof content === 'string' ? content : null;
}

function embeddingOf(body: Fields = {}): number[] | null {
  const embedding = firstOf(body['data'])?.['embedding'];
  return isNumbers(embedding) ? embedding : null;
}

function firstOf(list: unknown): Fields | undefined {
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  return isFields(first) ? first : undefined;
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'number');
}

/** Returns why an item has no successful response: its own error, or that of the response. */
function toError(item: ItemResult, body: Fields = {}): ResultErrorBody | null {
  if (item.status === 'completed') return null;
  if (item.errorCode !== null) return { code: item.errorCode, message: item.errorMessage ?? '' };
  const error = fieldOf(body, 'error');
  const [code, message] = isFields(error) ? [error['code'], error['message']] : [];
  return {
    code: typeof code === 'string' ? code : 'internal_error',
    message: typeof message === 'string' ? message : '',
  };
}
