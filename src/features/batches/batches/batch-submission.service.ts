import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AppError, InvalidRequestError } from '../../../common/errors.js';
import { type Caller, hasScope } from '../../../common/caller.js';
import { mapConcurrently } from '../../../common/map-concurrently.js';
import { FileService } from '../../files/index.js';
import { parseBatchMetadata } from '../input/batch-metadata.js';
import { parseInputFileId } from '../input/input-file-id.js';
import { parseParleyLine } from '../input/parley-line.js';
import { fieldOf, type Fields, SHARED_FIELDS } from '../input/shared-fields.js';
import { readSubmittedRequests, type SubmittedRequests } from '../input/submitted-requests.js';
import type { Batch } from '../model/batch.js';
import { BatchEndpoints } from '../model/batch-endpoints.js';
import type { NewBatchItem } from '../model/batch-item.js';
import { type BatchTask, TASK_ENDPOINTS } from '../model/batch-task.js';
import type { InputLine } from '../model/input-line.js';
import type { NewBatch } from '../rows/batch.repository.js';
import { BatchService } from './batch.service.js';
import type { NewBatchBody } from './new-batch.dto.js';

/** The fields with requests, of which a submission has exactly one. */
const INPUTS = ['texts', 'requests', 'input_file_id'] as const;

/**
 * Maximum size of the requests of a submission with the shared fields in each, in UTF-16 units: a long system prompt
 * must not become gigabytes.
 */
const MAX_REQUESTS_LENGTH = 64 * 2 ** 20;

/** Time after which other requests are allowed to run, in milliseconds. */
const YIELD_INTERVAL_MS = 10;

/** Maximum number of models whose provider is looked up at once. */
const LOOKUPS_AT_ONCE = 4;

/** Accepts batches of our own API. */
@Injectable()
export class BatchSubmissionService {
  constructor(
    private readonly batches: BatchService,
    private readonly endpoints: BatchEndpoints,
    private readonly files: FileService,
  ) {}

  /**
   * Creates a batch. When it resolves, its rows are committed.
   * @throws InvalidRequestError that names the field
   * @throws NotFoundError if there is no such file
   * @throws IdempotencyKeyReusedError
   * @throws AppError `batch_limit_exceeded`, `insufficient_scope`
   */
  async submitBatch(
    caller: Caller,
    body: NewBatchBody,
    key: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly batch: Batch; readonly replayed: boolean }> {
    const { task = 'chat', max_concurrency: maxConcurrency, metadata } = body;
    const { userId } = caller;
    const idempotency = key === undefined ? undefined : { key, fingerprint: fingerprintOf(body) };
    const replay = idempotency && (await this.batches.findReplay({ userId, api: 'parley', ...idempotency }));
    if (replay !== undefined) return { batch: replay, replayed: true };
    const shared = readSharedFields(body, task);
    const input = await this.readInput(caller, body, { task, shared }, signal);
    return this.batches.createBatch({
      userId,
      apiKeyId: caller.apiKeyId,
      api: 'parley',
      endpoint: TASK_ENDPOINTS[task],
      input,
      defaults: shared,
      metadata: metadata && parseBatchMetadata(metadata),
      maxConcurrency,
      idempotency,
    });
  }

  private async readInput(
    caller: Caller,
    { texts, requests, input_file_id: fileId }: NewBatchBody,
    { task, shared }: { readonly task: BatchTask; readonly shared: Fields },
    signal: AbortSignal,
  ): Promise<NewBatch['input']> {
    const given = [texts, requests, fileId].filter((input) => input !== undefined);
    if (given.length !== 1) throw inputError(given.length);
    if (fileId !== undefined) {
      const { id } = await this.files.getFile(caller.userId, parseInputFileId(fileId));
      return { fileId: id };
    }
    const submitted = texts !== undefined ? { texts } : { requests: requests ?? [] };
    return { items: await this.toItems(caller, submitted, { task, shared }, signal) };
  }

  private async toItems(
    caller: Caller,
    submitted: SubmittedRequests,
    { task, shared }: { readonly task: BatchTask; readonly shared: Fields },
    signal: AbortSignal,
  ): Promise<NewBatchItem[]> {
    const items: (Omit<NewBatchItem, 'lane'> & { readonly model: string | undefined })[] = [];
    let length = 0;
    let yieldedAt = performance.now();
    for (const line of readSubmittedRequests(submitted, parseParleyLine(shared, task))) {
      assertAllowed(caller, line);
      const request = JSON.stringify(line.body);
      length += request.length;
      if (length > MAX_REQUESTS_LENGTH) throw tooLargeError();
      items.push({ line: line.number, customId: line.customId, request, model: line.model });
      if (performance.now() - yieldedAt > YIELD_INTERVAL_MS) {
        await setImmediate();
        signal.throwIfAborted();
        yieldedAt = performance.now();
      }
    }
    const lanes = await this.findLanes(new Set(items.map(({ model }) => model)), signal);
    return items.map(({ model, ...item }) => ({ ...item, lane: lanes.get(model) ?? '' }));
  }

  /** Returns the providers of models. One that no provider has is left out: its requests fail when they run. */
  private async findLanes(
    models: ReadonlySet<string | undefined>,
    signal: AbortSignal,
  ): Promise<Map<string | undefined, string | undefined>> {
    const found = await mapConcurrently([...models], { atOnce: LOOKUPS_AT_ONCE, signal }, async (model) => {
      const lane = await this.endpoints.findLane(model);
      return [model, lane] as const;
    });
    return new Map(found);
  }
}

/**
 * Returns the fields that the requests have unless they set them.
 * @throws InvalidRequestError for a field of another task
 */
function readSharedFields(body: NewBatchBody, task: BatchTask): Fields {
  const names: readonly string[] = SHARED_FIELDS[task];
  const foreign = Object.values(SHARED_FIELDS)
    .flat()
    .filter((name) => !names.includes(name) && fieldOf(body, name) !== undefined);
  if (foreign.length > 0) {
    const details = foreign.map((field) => ({
      field,
      message: `${field} is not a field of the task ${task}`,
    }));
    throw new InvalidRequestError(`${details.map(({ message }) => message).join('; ')}.`, details);
  }
  const given = names.map((name) => [name, fieldOf(body, name)] as const);
  return Object.fromEntries<unknown>(given.filter(([, value]) => value !== undefined));
}

/** Requests reach the collections of the account, which the key of the batch may not. */
function assertAllowed(caller: Caller, { body, customId }: InputLine): void {
  if (fieldOf(body, 'collection') === undefined || hasScope(caller, 'rag')) return;
  throw new AppError(
    'insufficient_scope',
    `The request '${customId}' has the field collection, which requires the scope 'rag'. The API key lacks it.`,
  );
}

function inputError(inputs: number): InvalidRequestError {
  const which = INPUTS.join(', ');
  const message =
    inputs === 0
      ? `One of ${which} is required`
      : `Only one of ${which} is allowed; send the requests in one of them`;
  return new InvalidRequestError(
    `${message}.`,
    INPUTS.map((field) => ({ field, message })),
  );
}

function tooLargeError(): InvalidRequestError {
  const message =
    'The requests, each with the shared fields, are larger than 64 MB in total. Upload them as a file and send its id as input_file_id, or send several batches';
  return new InvalidRequestError(`${message}.`, [{ field: 'requests', message }]);
}

function fingerprintOf(body: NewBatchBody): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(JSON.stringify(body)).digest());
}
