import { toCancelledCallError } from '../port/model-call-error.js';
import {
  type AttemptRecord,
  CompletionAssembler,
  type ModelAnswer,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  type RelayedEvent,
} from '../port/index.js';
import type { AnswerCache, CacheLookup, FlightOutcome } from './answer-cache.js';
import {
  type CacheableCall,
  type CachedAnswer,
  isCacheableAnswer,
  cacheKeyOf,
  toCacheHitRecord,
  replayAnswer,
} from './cached-answer.js';

/** Called after each lookup, with the model and the record of a hit. */
export type CacheLookupListener = (hit?: {
  readonly model: ModelIdentity;
  readonly record: AttemptRecord;
}) => void;

/** Answers calls from the cache, and fills it. A miss is executed as if there were no cache. */
export class CachedCalls {
  constructor(
    private readonly cache: AnswerCache,
    private readonly onLookup: CacheLookupListener,
  ) {}

  /**
   * Yields the events of a call, replayed if its answer is cached.
   * @param models full names of the chain, in order
   * @throws ModelCallError if the call was aborted, and all errors of `ask`
   */
  async *stream(
    call: CacheableCall,
    models: readonly string[],
    ask: () => AsyncGenerator<ModelEvent>,
    record: (attempts: readonly AttemptRecord[]) => void,
  ): AsyncGenerator<ModelEvent> {
    const found = await this.find(call, models, 'stream');
    if (found.type === 'hit') {
      const hit = toCacheHitRecord(found.answer);
      record([hit]);
      yield* replayAnswer(found.answer, hit);
      return;
    }
    const recording = new Recording();
    let landing: FlightOutcome = 'left';
    try {
      for await (const event of ask()) {
        recording.add(event);
        if (event.type === 'finished') {
          landing = recording.answer(call, event, models) ?? 'failed';
          // Store the answer before yielding the end, so that a client that has seen the end finds it in the
          // cache.
          await found.land(landing);
        }
        yield event;
      }
    } catch (error) {
      if (!call.signal.aborted) landing = 'failed';
      throw error;
    } finally {
      if (typeof landing === 'string') await found.land(landing);
    }
  }

  /**
   * Returns a whole answer.
   * @throws ModelCallError if the call was aborted, and all errors of `ask`
   */
  async complete(
    call: CacheableCall,
    models: readonly string[],
    ask: () => Promise<ModelAnswer>,
    record: (attempts: readonly AttemptRecord[]) => void,
  ): Promise<ModelAnswer> {
    const found = await this.find(call, models, 'whole');
    if (found.type === 'hit') {
      const { model, completion, ignored, usage, raw } = found.answer;
      const attempts = [toCacheHitRecord(found.answer)];
      record(attempts);
      return { model, completion, ignored, usage, attempts, cached: true, ...(raw !== undefined && { raw }) };
    }
    let landing: FlightOutcome = 'left';
    try {
      const answer = await ask();
      landing = wholeAnswer(call, answer, models) ?? 'failed';
      return answer;
    } catch (error) {
      if (!call.signal.aborted) landing = 'failed';
      throw error;
    } finally {
      await found.land(landing);
    }
  }

  private async find(
    call: CacheableCall,
    models: readonly string[],
    mode: 'stream' | 'whole',
  ): Promise<CacheLookup> {
    const found = await this.cache.findCachedAnswer(cacheKeyOf(call, models, mode), call.signal);
    if (found === undefined) throw toCancelledCallError([]);
    if (found.type === 'miss') this.onLookup();
    else this.onLookup({ model: found.answer.model, record: toCacheHitRecord(found.answer) });
    return found;
  }
}

/** Assembles the answer to cache from a stream. */
class Recording {
  private assembler = new CompletionAssembler();
  private relayed: RelayedEvent[] = [];
  private started: { readonly model: ModelIdentity; readonly ignored: readonly string[] } | undefined;

  add(event: ModelEvent): void {
    if (event.type === 'started' || event.type === 'restarted') {
      this.assembler = new CompletionAssembler();
      this.relayed = [];
      this.started = event;
    } else if (event.type === 'chunk') {
      this.assembler.add(event.chunk);
    } else if (event.type === 'relayed') {
      this.relayed.push(event);
      for (const chunk of event.chunks) this.assembler.add(chunk);
    }
  }

  answer(
    call: ModelCall,
    { finishReason, usage, warning }: Extract<ModelEvent, { type: 'finished' }>,
    models: readonly string[],
  ): CachedAnswer | undefined {
    if (this.started === undefined || warning !== null) return undefined;
    const { model, ignored } = this.started;
    const completion = this.assembler.completion();
    const answer = { model, ignored, completion, finishReason, usage };
    if (!isCacheableAnswer(answer, models, call)) return undefined;
    return this.relayed.length > 0 ? { ...answer, relayed: this.relayed } : answer;
  }
}

function wholeAnswer(
  call: ModelCall,
  { model, completion, ignored, usage, raw }: ModelAnswer,
  models: readonly string[],
): CachedAnswer | undefined {
  const finishReason = completion.choices[0]?.finish_reason;
  if (finishReason === undefined) return undefined;
  const answer = { model, ignored, completion, finishReason, usage };
  if (!isCacheableAnswer(answer, models, call)) return undefined;
  // In the canonical format the completion contains everything, and also serves streaming callers.
  return call.native === undefined || raw === undefined ? answer : { ...answer, raw };
}
