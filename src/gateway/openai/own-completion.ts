import type { OutgoingEvent } from '../../common/event-stream.js';
import { type FinishedAnswer, toOpenAiToolCalls } from '../../features/chat/index.js';
import type { SourceBody } from '../../features/rag/index.js';
import type { TokenUsage } from '../../llm/index.js';
import { toUsage } from './chat-completions.mapper.js';

/** An answer that is written here, not passed on from a provider. */
export interface OwnAnswer extends Pick<
  FinishedAnswer,
  'text' | 'calls' | 'model' | 'finishReason' | 'usage'
> {
  readonly id: string;
  readonly createdAt: Date;
  /** True if the text says why there is no answer in the format that was requested. */
  readonly isRefusal?: boolean;
  /** Undefined if the answer is not based on collections. */
  readonly sources: readonly SourceBody[] | undefined;
}

/** Converts an answer to the format of Chat Completions. */
export function toOwnCompletion(answer: OwnAnswer) {
  const { id, createdAt, text, calls, model, finishReason, usage, sources, isRefusal = false } = answer;
  return {
    id: idOf(id),
    object: 'chat.completion',
    created: secondsOf(createdAt),
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: isRefusal || (text === '' && calls.length > 0) ? null : text,
          refusal: isRefusal ? text : null,
          ...(calls.length > 0 && { tool_calls: toOpenAiToolCalls(calls) }),
        },
        logprobs: null,
        finish_reason: finishReason,
      },
    ],
    usage: toUsage(usage),
    ...(sources && { sources }),
  };
}

/** Writes an answer as Chat Completions chunks. */
export class OwnChunks {
  constructor(
    private readonly answer: Pick<OwnAnswer, 'id' | 'createdAt'> & {
      /** Returns the name of the model, which may change while the answer is generated. */
      readonly readModel: () => string;
      /** True if the client requested the usage chunk. */
      readonly includeUsage: boolean;
    },
  ) {}

  /** Returns the first chunk. It carries the sources, because clients ignore unknown fields but no unknown events. */
  begin(sources: readonly SourceBody[] | undefined): OutgoingEvent {
    return this.chunk([choiceOf({ role: 'assistant', content: '' })], sources && { sources });
  }

  add(delta: object): OutgoingEvent {
    return this.chunk([choiceOf(delta)]);
  }

  /** Yields the finish reason, the usage if it was requested, and `[DONE]`. */
  *end(finishReason: string, usage: TokenUsage): Generator<OutgoingEvent> {
    yield this.chunk([choiceOf({}, finishReason)]);
    if (this.answer.includeUsage) yield this.chunk([], { usage: toUsage(usage) });
    yield { data: '[DONE]' };
  }

  private chunk(choices: readonly object[], more: object = {}): OutgoingEvent {
    const { id, createdAt, readModel, includeUsage } = this.answer;
    const head = { id: idOf(id), object: 'chat.completion.chunk', created: secondsOf(createdAt) };
    return { data: { ...head, model: readModel(), choices, ...(includeUsage && { usage: null }), ...more } };
  }
}

function choiceOf(delta: object, finishReason: string | null = null) {
  return { index: 0, delta, finish_reason: finishReason };
}

const idOf = (id: string): string => `chatcmpl-${id}`;
const secondsOf = (time: Date): number => Math.floor(time.getTime() / 1000);
