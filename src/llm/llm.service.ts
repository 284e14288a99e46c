import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { AppConfig } from '../config/index.js';
import { Attempt, type AttemptResult } from './attempt.js';
import { cancelledCall, toModelCallError } from './model-call-error.js';
import { ModelDirectory, type ProviderHealth, type ResolvedModel } from './model-directory.js';
import type { ChatChunk, ModelCall, ModelEvent } from './port/index.js';

/** The face of the model layer: features ask it and know nothing of providers. It stores nothing. */
@Injectable()
export class LlmService implements OnApplicationShutdown {
  constructor(
    private readonly directory: ModelDirectory,
    private readonly config: AppConfig,
  ) {}

  /**
   * The model of a name, or the default one.
   * @throws AppError `model_not_found`, `provider_unavailable`
   */
  resolve(name: string | undefined): Promise<ResolvedModel> {
    return this.directory.resolve(name);
  }

  /** The full names of all models. */
  models(): Promise<string[]> {
    return this.directory.names();
  }

  /** How each provider is. */
  health(): Promise<ProviderHealth[]> {
    return this.directory.health();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.directory.close();
  }

  /**
   * Streams an answer. The last event is `finished`; it carries the records of all attempts for the caller to commit.
   * @throws ModelCallError with the attempts' records, where no complete answer came or the call was aborted
   * @throws AppError `model_not_found`, `provider_unavailable` before any attempt
   */
  async *stream(call: ModelCall): AsyncGenerator<ModelEvent> {
    const { source, ...model } = await this.directory.resolve(call.model);
    yield { type: 'started', model };
    const attempt = new Attempt({
      number: 1,
      provider: source,
      model,
      call,
      deadlines: this.config.llm.deadlines,
    });
    const result = yield* asModelEvents(attempt.run());
    const record = attempt.record(result.status);
    if (result.status === 'cancelled') throw cancelledCall([record]);
    if (result.status === 'failed') throw toModelCallError(result.error, [record]);
    const { finishReason, warning } = result;
    yield { type: 'finished', model, finishReason, usage: record.usage, attempts: [record], warning };
  }
}

/** Passes the chunks on and returns the result. A consumer that leaves early ends the attempt with it. */
async function* asModelEvents(
  chunks: AsyncGenerator<ChatChunk, AttemptResult>,
): AsyncGenerator<ModelEvent, AttemptResult> {
  try {
    for (;;) {
      const step = await chunks.next();
      if (step.done === true) return step.value;
      yield { type: 'chunk', chunk: step.value };
    }
  } finally {
    await chunks.return({ status: 'cancelled' });
  }
}
