import { type ApiResponse, at, listAt, send, TEST_PASSWORD } from '../client.js';
import { formOf } from '../files.js';
import { BATCHES } from '../parley-batches.js';
import { query } from '../stored.js';
import {
  type BatchAction,
  inputFile,
  isOpenAiBatch,
  newSentBatch,
  type SentBatch,
  submissionBody,
} from './batch-model.js';
import type { BatchWorld } from './batch-world.js';
import type { Outcome } from './process-group.js';
import { waitUnlessAborted } from './process-group.js';
import type { Random } from './random.js';

/** Path of the batches of OpenAI's API. */
const OPENAI_BATCHES = '/v1/batches';

/** Maximum number of times a client sends a request. */
const TRIES = 12;

/** Statuses of a batch that has ended. */
const ENDS: readonly unknown[] = ['completed', 'failed', 'cancelled', 'expired'];

/** An account, what it knows of its batches, and its requests. */
export class BatchClient {
  /** All of its batches, including deleted ones. */
  readonly batches: SentBatch[] = [];

  constructor(
    readonly name: string,
    readonly userId: string,
    private readonly email: string,
    /** Access token, which is valid for some minutes. */
    private token: string,
    readonly world: BatchWorld,
    /** False if the account deletes nothing, so that all of its usage is of batches that exist. */
    readonly mayDelete: boolean,
  ) {}

  /** Sends a request of the account to a random process. */
  request(random: Random, method: string, path: string): Promise<Outcome> {
    return this.world.processes.send(random, this.token, (user) => user.request(method, path));
  }

  /** Sends a request until it is answered; undefined if it never was. */
  async requestAnswered(random: Random, method: string, path: string): Promise<ApiResponse | undefined> {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const outcome = await this.request(random, method, path);
      if (typeof outcome !== 'string') return outcome;
    }
    return undefined;
  }

  /** Logs in again, for a run that takes longer than a token is valid. */
  async logIn(): Promise<void> {
    const url = this.world.processes.url(this.world.random);
    const { body } = await send(`${url}/api/v1/auth/login`, {
      method: 'POST',
      body: { email: this.email, password: TEST_PASSWORD },
    });
    this.token = String(at(body, 'access_token'));
  }

  /** Submits a batch, whose requests a lost answer may leave unknown. With a key it is sent until it is answered. */
  async submit(batch: SentBatch, random: Random, storm: AbortSignal): Promise<void> {
    const { journal } = this.world;
    const { form, key } = batch;
    const isFile = form === 'file' || form === 'openai';
    const fileId = isFile ? await this.upload(batch, random, storm) : undefined;
    if (isFile && fileId === undefined) return;
    this.batches.push(batch);
    journal.count(`batches of ${form}`);
    journal.count('requests', batch.requests.length);
    const body = submissionBody(batch, fileId);
    while (!storm.aborted) {
      const outcome = await this.sendBatch(batch, body, random);
      if (typeof outcome !== 'string') {
        this.learnId(batch, outcome);
        return;
      }
      // Without a key, another submission would be another batch.
      if (key === undefined && outcome === 'lost') return;
      await waitUnlessAborted(random.whole(20, 200), storm);
    }
  }

  /** Sends a submission again whose batch is known: it must return the same batch. */
  async repeat(batch: SentBatch, random: Random): Promise<void> {
    const isFile = batch.form === 'file' || batch.form === 'openai';
    if (batch.key === undefined || isFile || batch.actions.has('delete')) return;
    const outcome = await this.sendBatch(batch, submissionBody(batch, undefined), random);
    if (typeof outcome === 'string') return;
    this.world.journal.count('repeated submissions');
    this.learnId(batch, outcome);
  }

  /** Reads a batch, and compares it with what was read before. */
  async poll(batch: SentBatch, random: Random): Promise<unknown> {
    const { seenCompleted } = batch;
    const outcome = await this.request(random, 'GET', this.pathOf(batch));
    if (typeof outcome === 'string') return undefined;
    const { status, body } = outcome;
    if (status === 404 && batch.actions.has('delete')) return undefined;
    if (status !== 200) {
      this.unexpected(batch, 'a poll', outcome);
      return undefined;
    }
    this.world.journal.count('polls');
    this.checkCounts(batch, body, seenCompleted);
    return body;
  }

  /** Reads the results of a batch, of which those that have succeeded never change. */
  async readResults(batch: SentBatch, random: Random): Promise<void> {
    if (isOpenAiBatch(batch)) return;
    const outcome = await this.request(random, 'GET', `${this.pathOf(batch)}/results?limit=1000`);
    if (typeof outcome === 'string' || (outcome.status === 404 && batch.actions.has('delete'))) return;
    if (outcome.status !== 200) {
      this.unexpected(batch, 'its results', outcome);
      return;
    }
    this.world.journal.count('reads of results');
    for (const result of listAt(outcome.body, 'data')) {
      if (at(result, 'status') !== 'completed') continue;
      const customId = String(at(result, 'custom_id'));
      this.checkResponse(batch, customId, String(at(result, 'response', 'request_id')));
    }
  }

  /** Compares the response of a request with the one that was read before. */
  checkResponse(batch: SentBatch, customId: string, requestId: string): void {
    const seen = batch.seenResponses.get(customId);
    if (seen !== undefined && seen !== requestId)
      this.violate(batch, `${customId} had the response ${seen}, and has ${requestId}`);
    batch.seenResponses.set(customId, requestId);
  }

  /** Cancels, retries or deletes a batch, or lets it expire. */
  async change(batch: SentBatch, action: BatchAction, random: Random): Promise<void> {
    if (isOpenAiBatch(batch) && (action === 'retry' || action === 'delete')) return;
    batch.actions.add(action);
    this.world.journal.count(`actions: ${action}`);
    this.world.journal.note(batch.name, action);
    if (action === 'expire') {
      await query(this.world.database, 'UPDATE batches SET expires_at = now() WHERE id = $1', [
        nativeId(batch),
      ]);
      return;
    }
    const path = action === 'delete' ? '' : `/${action}`;
    const method = action === 'delete' ? 'DELETE' : 'POST';
    const outcome = await this.request(random, method, `${this.pathOf(batch)}${path}`);
    if (typeof outcome === 'string') return;
    const { status } = outcome;
    const isExplained =
      status === (action === 'delete' ? 204 : 200) ||
      (status === 404 && batch.actions.has('delete')) ||
      // It has not ended, or the account has too many that have not.
      (action === 'retry' && (status === 400 || status === 429));
    if (!isExplained) this.unexpected(batch, action, outcome);
  }

  violate(batch: SentBatch, what: string): void {
    this.world.journal.violate(batch.name, `${String(batch.id)} of ${this.name}: ${what}`);
  }

  /** Returns the path of a batch whose id is known. */
  pathOf(batch: SentBatch): string {
    return `${isOpenAiBatch(batch) ? OPENAI_BATCHES : BATCHES}/${String(batch.id)}`;
  }

  private unexpected(batch: SentBatch, what: string, { status, body }: ApiResponse): void {
    this.violate(batch, `${what} answered ${status} ${JSON.stringify(body)}`);
  }

  private sendBatch({ form, key }: SentBatch, body: object, random: Random): Promise<Outcome> {
    const path = form === 'openai' ? OPENAI_BATCHES : BATCHES;
    const headers = {
      authorization: `Bearer ${this.token}`,
      ...(key !== undefined && { 'idempotency-key': key }),
    };
    return this.world.processes.send(random, this.token, (_, url) =>
      send(`${url}${path}`, { method: 'POST', body, headers }),
    );
  }

  private async upload(batch: SentBatch, random: Random, storm: AbortSignal): Promise<string | undefined> {
    while (!storm.aborted) {
      const outcome = await this.world.processes.send(random, this.token, async (_, url) => {
        const form = formOf({ name: 'requests.jsonl', type: 'application/jsonl', bytes: inputFile(batch) });
        form.append('purpose', 'batch');
        const headers = { authorization: `Bearer ${this.token}` };
        const response = await fetch(`${url}/v1/files`, { method: 'POST', headers, body: form });
        const body: unknown = await response.json();
        return { status: response.status, headers: response.headers, body };
      });
      if (typeof outcome !== 'string') {
        if (outcome.status !== 200) this.unexpected(batch, 'the upload', outcome);
        const id = at(outcome.body, 'id');
        return typeof id === 'string' ? id : undefined;
      }
      if (outcome === 'lost') this.world.journal.count('lost uploads');
      await waitUnlessAborted(random.whole(20, 200), storm);
    }
    return undefined;
  }

  private learnId(batch: SentBatch, outcome: ApiResponse): void {
    const { status, body } = outcome;
    if (status !== (isOpenAiBatch(batch) ? 200 : 202)) {
      if (status === 429) this.world.journal.count('submissions beyond the limit');
      else this.unexpected(batch, 'the submission', outcome);
      return;
    }
    const id = String(at(body, isOpenAiBatch(batch) ? 'id' : 'job_id'));
    if (batch.id !== undefined && batch.id !== id) this.violate(batch, `its key has returned ${id}, too`);
    batch.id = id;
  }

  /** @param seenCompleted number of completed requests that had been read when the poll was sent */
  private checkCounts(batch: SentBatch, body: unknown, seenCompleted: number): void {
    const isOpenAi = isOpenAiBatch(batch);
    const count = (name: string): number => Number(at(body, isOpenAi ? 'request_counts' : 'counts', name));
    const total = count('total');
    const completed = count('completed');
    // A retry keeps what is completed, too.
    if (completed < seenCompleted)
      this.violate(batch, `has ${completed} completed requests after ${seenCompleted}`);
    batch.seenCompleted = Math.max(batch.seenCompleted, completed);
    if (isOpenAi || at(body, 'total') === null) return;
    const parts = ['waiting', 'running', 'completed', 'failed', 'skipped'].map(count);
    const sum = parts.reduce((all, part) => all + part, 0);
    if (sum !== total) this.violate(batch, `its counts have the sum ${sum}: ${JSON.stringify(body)}`);
    if (ENDS.includes(at(body, 'status')) && count('waiting') + count('running') > 0)
      this.violate(batch, `has ended with unfinished requests: ${JSON.stringify(body)}`);
  }
}

/** Returns the id of a batch in the database. */
export function nativeId(batch: SentBatch): string | undefined {
  return isOpenAiBatch(batch) ? batch.id?.replace(/^batch_/, '') : batch.id;
}

/** Sends one request after another until the storm is over. Several of these run at once for an account. */
export async function useBatchesAtRandom(
  client: BatchClient,
  random: Random,
  storm: AbortSignal,
  maxBatches: number,
): Promise<void> {
  while (!storm.aborted) {
    const dice = random.fork();
    const known = client.batches.filter(({ id }) => id !== undefined);
    // One whose answer was lost may have been stored.
    if (known.length === 0 || (known.length < maxBatches && dice.chance(0.3)))
      await client.submit(newSentBatch(dice, client.name), dice, storm);
    else await useBatch(client, dice.pick(known), dice);
    await waitUnlessAborted(dice.whole(0, 120), storm);
  }
}

async function useBatch(client: BatchClient, batch: SentBatch, random: Random): Promise<void> {
  const dice = random.next();
  if (dice < 0.55) await client.poll(batch, random);
  else if (dice < 0.8) await client.readResults(batch, random);
  else if (dice < 0.87) await client.repeat(batch, random);
  else if (dice < 0.9) await client.change(batch, 'retry', random);
  // Once, and not before some requests have run.
  else if (batch.fate === undefined || batch.actions.has(batch.fate) || batch.seenCompleted === 0)
    await client.poll(batch, random);
  else if (batch.fate !== 'delete' || client.mayDelete) await client.change(batch, batch.fate, random);
}
