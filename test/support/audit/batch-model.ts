import { randomUUID } from 'node:crypto';
import type { Random } from './random.js';
import { BATCH_MODELS, UNKNOWN_MODEL } from './batch-world.js';

/** Word that every request contains, and that must not be found in Redis. */
export const REQUEST_WORD = 'quicksilver';

/** Number of requests of a batch of the storm. */
const BATCH_SIZE = { least: 1, most: 90 } as const;

/** A request that was sent in a batch. */
export interface SentRequest {
  readonly line: number;
  readonly customId: string;
  /** The message, which the provider repeats; no other request has it. */
  readonly text: string;
  readonly model: string;
}

/** The way in which the requests of a batch are sent. */
export type BatchForm = 'texts' | 'requests' | 'file' | 'openai';

/** A change of a batch by its account. */
export type BatchAction = 'cancel' | 'expire' | 'retry' | 'delete';

/** A submission of a batch, and what its account knows of it. */
export interface SentBatch {
  /** Name in its metadata. */
  readonly name: string;
  readonly form: BatchForm;
  readonly key: string | undefined;
  readonly requests: readonly SentRequest[];
  /** Line of its file that has a fault. */
  readonly faultyLine: number | undefined;
  readonly maxConcurrency: number | undefined;
  /** Id that the server returned; undefined until then. */
  id: string | undefined;
  /** Actions that were sent, of which the response may have been lost. */
  readonly actions: Set<BatchAction>;
  /** Action that ends it early; undefined for most. */
  readonly fate: Exclude<BatchAction, 'retry'> | undefined;
  /** Ids of the responses that were read of requests that have succeeded, by `custom_id`. */
  readonly seenResponses: Map<string, string>;
  /** Number of completed requests that was read last. */
  seenCompleted: number;
}

/** Returns true if a batch has been submitted with OpenAI's API. */
export function isOpenAiBatch({ form }: SentBatch): boolean {
  return form === 'openai';
}

/** Creates a batch of random requests. */
export function newSentBatch(random: Random, account: string, form?: BatchForm): SentBatch {
  const name = `b${randomUUID().slice(0, 8)}`;
  const chosen = form ?? random.pick<BatchForm>(['texts', 'requests', 'requests', 'file', 'openai']);
  const size = random.whole(BATCH_SIZE.least, BATCH_SIZE.most);
  // Lists of texts and files in OpenAI's format have one model.
  const shared = random.chance(0.1) ? UNKNOWN_MODEL : random.pick(BATCH_MODELS);
  const isMixed = chosen === 'requests' || chosen === 'file';
  const requests = Array.from({ length: size }, (_, index): SentRequest => {
    const line = index + 1;
    return {
      line,
      customId: chosen === 'texts' ? `request-${String(line)}` : `${name}-${String(line)}`,
      text: [REQUEST_WORD, account, name, String(line), ...wordsOf(random)].join(' '),
      model: !isMixed ? shared : random.chance(0.05) ? UNKNOWN_MODEL : random.pick(BATCH_MODELS),
    };
  });
  const isFile = chosen === 'file' || chosen === 'openai';
  return newBatchOf(requests, {
    name,
    form: chosen,
    key: random.chance(0.6) ? randomUUID() : undefined,
    faultyLine: isFile && random.chance(0.15) ? random.whole(1, size + 1) : undefined,
    maxConcurrency: chosen !== 'openai' && random.chance(0.3) ? random.whole(1, 6) : undefined,
    fate: random.chance(0.35) ? random.pick(['cancel', 'cancel', 'expire', 'delete'] as const) : undefined,
  });
}

/** Creates a batch of these requests. */
export function newBatchOf(
  requests: readonly SentRequest[],
  settings: Pick<SentBatch, 'name' | 'form' | 'key' | 'faultyLine' | 'maxConcurrency' | 'fate'>,
): SentBatch {
  return {
    ...settings,
    requests,
    id: undefined,
    actions: new Set(),
    seenResponses: new Map(),
    seenCompleted: 0,
  };
}

/** Returns the body of a submission. A file was uploaded before. */
export function submissionBody(batch: SentBatch, inputFileId: string | undefined): object {
  const { name, form, requests, maxConcurrency } = batch;
  const metadata = { name };
  if (form === 'openai')
    return {
      input_file_id: inputFileId,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata,
    };
  const shared = { metadata, ...(maxConcurrency !== undefined && { max_concurrency: maxConcurrency }) };
  if (form === 'file') return { ...shared, input_file_id: inputFileId };
  if (form === 'requests') return { ...shared, requests: requests.map(toProductRequest) };
  return { ...shared, texts: requests.map(({ text }) => text), model: requests[0]?.model };
}

/** Returns the file of a batch: its lines, and a faulty one among them if it has one. */
export function inputFile({ form, requests, faultyLine }: SentBatch): string {
  const lines = requests.map((request) =>
    JSON.stringify(form === 'openai' ? toOpenAiRequest(request) : toProductRequest(request)),
  );
  if (faultyLine !== undefined) lines.splice(faultyLine - 1, 0, '{"custom_id":');
  return lines.join('\n');
}

function toProductRequest({ customId, text, model }: SentRequest): object {
  return { custom_id: customId, text, model };
}

function toOpenAiRequest({ customId, text, model }: SentRequest): object {
  const body = { model, messages: [{ role: 'user', content: text }] };
  return { custom_id: customId, method: 'POST', url: '/v1/chat/completions', body };
}

function wordsOf(random: Random): string[] {
  return Array.from({ length: random.whole(0, 12) }, (_, index) => `word${String(index)}`);
}
