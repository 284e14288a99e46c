import { cancelledCall } from '../port/model-call-error.js';
import {
  type AttemptRecord,
  CompletionAssembler,
  type ModelAnswer,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  type RelayedEvent,
} from '../port/index.js';
import type { AnswerCache, Found, Landing } from './answer-cache.js';
import {
  type CacheableCall,
  type CachedAnswer,
  isKept,
  keyOf,
  recordOfHit,
  replay,
} from './cached-answer.js';

/** Answers calls out of the cache, and fills it. Whoever finds nothing asks as if there were no cache. */
export class CachedCalls {
  constructor(private readonly cache: AnswerCache) {}

  /**
   * The events of a call, replayed where its answer is there.
   * @param models full names of the chain, in order
   * @throws ModelCallError where the call was aborted, and what `ask` throws
   */
  async *stream(
    call: CacheableCall,
    models: readonly string[],
    ask: () => AsyncGenerator<ModelEvent>,
    record: (attempts: readonly AttemptRecord[]) => void,
  ): AsyncGenerator<ModelEvent> {
    const found = await this.find(call, models, 'stream');
    if (found.type === 'hit') {
      const hit = recordOfHit(found.answer);
      record([hit]);
      yield* replay(found.answer, hit);
      return;
    }
    const recording = new Recording();
    let landing: Landing = 'left';
    try {
      for await (const event of ask()) {
        recording.add(event);
        if (event.type === 'finished') {
          landing = recording.answer(call, event, models) ?? 'failed';
          // Kept before it is told, so that whoever has seen the end finds the answer.
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
   * A whole answer.
   * @throws ModelCallError where the call was aborted, and what `ask` throws
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
      const attempts = [recordOfHit(found.answer)];
      record(attempts);
      return { model, completion, ignored, usage, attempts, cached: true, ...(raw !== undefined && { raw }) };
    }
    let landing: Landing = 'left';
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
  ): Promise<Found> {
    const found = await this.cache.find(keyOf(call, models, mode), call.signal);
    if (found === undefined) throw cancelledCall([]);
    return found;
  }
}

/** Puts together what is worth keeping of a stream. */
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
    if (!isKept(answer, models, call)) return undefined;
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
  if (!isKept(answer, models, call)) return undefined;
  // In the common tongue the completion says all of it, and serves those who stream as well.
  return call.native === undefined || raw === undefined ? answer : { ...answer, raw };
}
