import { Injectable } from '@nestjs/common';
import { mapConcurrently } from '../../common/map-concurrently.js';
import { AppError } from '../../common/errors.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { answerCaching, type Caller } from '../../common/caller.js';
import { newId } from '../../common/ids.js';
import { type ModelResponseHeaders, toModelResponseHeaders } from '../../http/index.js';
import {
  type ChatChunk,
  LlmService,
  type ModelAnswer,
  type ModelCall,
  REQUEST_HANDLING,
} from '../../llm/index.js';
import { toUsage } from './chat-completions.mapper.js';

/** A Completions request whose body was validated. */
export interface CompletionBody {
  readonly model?: string;
  readonly prompt: string | string[];
  readonly stream?: boolean | null;
  /** Our own field: true if a cached answer to an equal request may be returned. */
  readonly cache?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  readonly echo?: boolean | null;
  readonly best_of?: number | null;
  readonly logprobs?: number | null;
  readonly suffix?: string | null;
  readonly n?: number | null;
  readonly max_tokens?: number | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly stop?: string | string[] | null;
  readonly seed?: number | null;
  readonly presence_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly user?: string;
}

interface TextChoice {
  readonly text: string;
  readonly index: number;
  readonly finish_reason: string | null;
  readonly logprobs: null;
}

/** An answer in the format of Completions. */
export interface TextCompletion {
  readonly id: string;
  readonly object: 'text_completion';
  readonly created: number;
  readonly model: string;
  readonly choices: readonly TextChoice[];
  readonly usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** A whole answer and the data of its headers. */
export interface TextCompletionResult {
  readonly head: ModelResponseHeaders;
  readonly completion: TextCompletion;
}

/** Maximum number of prompts of one request that are answered concurrently. */
const PROMPTS_AT_ONCE = 4;

/** Parameters that today's models cannot honor, since they only chat. */
const REFUSED = [
  'echo',
  'best_of',
  'logprobs',
  'suffix',
] as const satisfies readonly (keyof CompletionBody)[];

/** Completions with chat models: the prompt becomes a user message, the answer the text. */
@Injectable()
export class CompletionsService {
  constructor(private readonly llm: LlmService) {}

  /** @throws AppError if there is no answer; with several prompts, the first failure ends all */
  async complete(
    caller: Caller,
    body: CompletionBody,
    signal: AbortSignal,
    handling = REQUEST_HANDLING,
  ): Promise<TextCompletionResult> {
    assertHonored(body);
    const prompts = typeof body.prompt === 'string' ? [body.prompt] : body.prompt;
    const answers = await this.answersTo(
      prompts.map((prompt) => ({ ...toCall(caller, body, prompt, signal), ...handling })),
      signal,
    );
    const choices = answers.flatMap(({ completion }) => completion.choices);
    const prompt_tokens = answers.reduce((sum, { usage }) => sum + usage.inputTokens, 0);
    const completion_tokens = answers.reduce((sum, { usage }) => sum + usage.outputTokens, 0);
    const completion = {
      id: `cmpl-${newId()}`,
      object: 'text_completion' as const,
      created: Math.floor(Date.now() / 1000),
      model: answers[0]?.model.name ?? '',
      choices: choices.map(({ message, finish_reason }, index) => ({
        text: message.content ?? '',
        index,
        finish_reason,
        logprobs: null,
      })),
      usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
    };
    const cached = answers.every((answer) => answer.cached === true);
    const head = toModelResponseHeaders(
      { cache: body.cache === true },
      { ignored: answers[0]?.ignored ?? [], cached },
    );
    return { head, completion };
  }

  private async answersTo(calls: readonly ModelCall[], clientLeft: AbortSignal): Promise<ModelAnswer[]> {
    const lease = this.llm.shareLease(calls);
    try {
      return await mapConcurrently(calls, { atOnce: PROMPTS_AT_ONCE, signal: clientLeft }, (call, signal) =>
        this.llm.complete({ ...call, signal }, lease),
      );
    } finally {
      await lease.settle();
    }
  }

  /**
   * Streams the answer as events, `[DONE]` last.
   * @param begin receives the data of the headers before the first event
   * @throws AppError from the iteration if there is no answer
   */
  async *stream(
    caller: Caller,
    body: CompletionBody,
    signal: AbortSignal,
    begin: (head: ModelResponseHeaders) => void,
  ): AsyncGenerator<OutgoingEvent> {
    assertHonored(body);
    const [prompt, second] = typeof body.prompt === 'string' ? [body.prompt] : body.prompt;
    if (prompt === undefined || second !== undefined) {
      throw refused('prompt', 'A streamed completion accepts only one prompt.');
    }
    const id = `cmpl-${newId()}`;
    let model = '';
    const call = toCall(caller, body, prompt, signal);
    const includeUsage = body.stream_options?.include_usage === true;
    let last: ChatChunk | undefined;
    let usageSent = false;
    for await (const event of this.llm.stream(call)) {
      if (event.type === 'started') {
        model = event.model.name;
        begin(toModelResponseHeaders(call, event));
      }
      // If the host reports no usage, the client still receives the usage that it requested.
      if (event.type === 'finished' && last !== undefined && !usageSent) {
        last = { ...last, choices: [], usage: toUsage(event.usage) };
      } else if (event.type === 'chunk') {
        last = event.chunk;
        usageSent ||= Boolean(last.usage);
      } else {
        continue;
      }
      const data = toTextChunk(last, { id, model, includeUsage });
      if (data !== undefined) yield { data };
    }
    yield { data: '[DONE]' };
  }
}

function toTextChunk(
  chunk: ChatChunk,
  { id, model, includeUsage }: { id: string; model: string; includeUsage: boolean },
): TextCompletion | undefined {
  const choices = chunk.choices
    .filter(({ delta, finish_reason }) => Boolean(delta.content) || finish_reason !== null)
    .map(({ delta, finish_reason, index }) => ({
      text: delta.content ?? '',
      index,
      finish_reason,
      logprobs: null,
    }));
  const usage = includeUsage ? chunk.usage : undefined;
  if (choices.length === 0 && !usage) return undefined;
  return { id, object: 'text_completion', created: chunk.created, model, choices, ...(usage && { usage }) };
}

function assertHonored(body: CompletionBody): void {
  for (const name of REFUSED) {
    const value = body[name];
    const asked =
      value !== undefined &&
      value !== null &&
      value !== false &&
      value !== '' &&
      !(name === 'best_of' && value === 1);
    if (asked) throw refused(name, `Chat models do not support '${name}'. Omit it.`);
  }
}

function refused(param: string, message: string): AppError {
  return new AppError('invalid_request', message, { param });
}

function toCall(caller: Caller, body: CompletionBody, text: string, signal: AbortSignal): ModelCall {
  const {
    model,
    prompt,
    stream,
    stream_options,
    cache,
    max_tokens,
    echo,
    best_of,
    logprobs,
    suffix,
    ...parameters
  } = body;
  return {
    callId: newId(),
    ...caller,
    model,
    accounting: 'sink',
    cache: answerCaching(caller, cache),
    signal,
    // Completions has only the older name of the limit.
    serverDefaults: ['limit_name'],
    request: {
      ...parameters,
      messages: [{ role: 'user', content: text }],
      ...(typeof max_tokens === 'number' && { max_completion_tokens: max_tokens }),
    },
  };
}
