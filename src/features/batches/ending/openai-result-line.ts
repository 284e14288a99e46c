import { createHash } from 'node:crypto';
import type { BatchItemStatus, ItemResult } from '../model/batch-item.js';

/** Errors of requests that did not run, by the status of their item. */
const ERRORS: Readonly<
  Partial<Record<BatchItemStatus, { readonly code: string; readonly message: string }>>
> = {
  cancelled: {
    code: 'batch_cancelled',
    message: 'This request was not executed because the batch was cancelled.',
  },
  expired: {
    code: 'batch_expired',
    message: 'This request could not be executed before the batch expired.',
  },
};

/** Returns the line of an output or error file in OpenAI's format, without the line break. */
export function toOpenAiResultLine(item: ItemResult, batchId: string): string {
  const { customId, response } = item;
  const head = `{"id":"${requestIdOf(item, batchId)}","custom_id":${JSON.stringify(customId)}`;
  if (response === null) return `${head},"response":null,"error":${JSON.stringify(errorOf(item))}}`;
  const status = JSON.stringify({ status_code: item.responseStatus, request_id: item.requestId });
  // The body is JSON that this server wrote; parsing it would only cost time and change its numbers.
  return `${head},"response":${status.slice(0, -1)},"body":${response}},"error":null}`;
}

/** Returns the id of a request: the same whenever its result is read, and of no meaning to others. */
function requestIdOf({ line }: ItemResult, batchId: string): string {
  const digest = createHash('sha256').update(`${batchId} ${line}`).digest('hex');
  return `batch_req_${digest.slice(0, 32)}`;
}

function errorOf({ status, errorCode, errorMessage }: ItemResult): { code: string; message: string } {
  const { code, message } = ERRORS[status] ?? {
    code: 'internal_error',
    message: 'The request was not answered.',
  };
  return { code: errorCode ?? code, message: errorMessage ?? message };
}
