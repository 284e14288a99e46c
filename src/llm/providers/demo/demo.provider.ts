import { setTimeout as delay } from 'node:timers/promises';
import { newId } from '../../../common/ids.js';
import {
  type ChatChunk,
  type ChatMessage,
  type ListedModel,
  ModelProvider,
  type ProviderCall,
  ProviderError,
  type ProviderEvent,
} from '../../port/index.js';

const MODEL = 'echo';

/** Title of a file that is sent as text. */
const FILE_TITLE = /^File: ([^\n]{1,300})\n\n/;

/** Bounds of what is repeated of a file: lines, and their total length in UTF-16 units. */
const MAX_LINES = 10;
const MAX_LINES_UNITS = 1_000;

/**
 * A fake model: it repeats its input and the first lines of files, deterministically and at a steady pace, and says so. For trying Parley
 * without a provider, and for tests.
 */
export class DemoProvider extends ModelProvider {
  override readonly id = 'demo';
  override readonly protocol = 'demo';
  private readonly gapMs: number;

  constructor(options: { tokensPerSecond: number }) {
    super();
    this.gapMs = 1000 / options.tokensPerSecond;
  }

  override async *stream({ model, request, signal }: ProviderCall): AsyncGenerator<ProviderEvent> {
    if (model !== MODEL)
      throw new ProviderError('model_not_found', `The demo provider only has the model '${MODEL}'.`);
    const words = splitIntoTokens(answerTo(request.messages));
    const limit = request.max_completion_tokens ?? request.max_tokens ?? words.length;
    const given = words.slice(0, limit);
    const chunk = chunkMaker();
    yield chunk({ role: 'assistant', content: '' }, null);
    const startedAt = performance.now();
    for (const [index, word] of given.entries()) {
      // Wait until a point in time, not for a duration: rounding up each wait would slow the pace down.
      const waitMs = startedAt + index * this.gapMs - performance.now();
      if (waitMs > 1) await delay(waitMs, undefined, { signal });
      signal.throwIfAborted();
      yield chunk({ content: word }, null);
    }
    yield chunk({}, given.length < words.length ? 'length' : 'stop');
    yield usageEvent(chunk, request.messages, given.length);
  }

  /** Returns false: the demo reads text only. */
  override supportsMedia(): Promise<boolean> {
    return Promise.resolve(false);
  }

  override listModels(): Promise<readonly ListedModel[]> {
    return Promise.resolve([{ id: MODEL }]);
  }
}

type Delta = ChatChunk['choices'][number]['delta'];
type MakeChunk = (
  delta: Delta,
  finishReason: 'stop' | 'length' | null,
) => { type: 'chunk'; chunk: ChatChunk };

function chunkMaker(): MakeChunk {
  const id = `chatcmpl-${newId()}`;
  const created = Math.floor(Date.now() / 1000);
  return (delta, finishReason) => ({
    type: 'chunk',
    chunk: {
      id,
      created,
      model: MODEL,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: finishReason }],
    },
  });
}

function usageEvent(make: MakeChunk, messages: readonly ChatMessage[], outputTokens: number): ProviderEvent {
  const inputTokens = messages.reduce((sum, message) => sum + splitIntoTokens(textOf(message)).length, 0);
  const event = make({}, null);
  const usage = {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
  return { type: 'chunk', chunk: { ...event.chunk, choices: [], usage } };
}

function answerTo(messages: readonly ChatMessage[]): string {
  const last = messages.findLast((message) => message.role === 'user');
  const texts = last === undefined ? [] : textsOf(last);
  const files = texts.flatMap(firstLinesOf);
  const question = texts.filter((text) => !FILE_TITLE.test(text)).join('');
  return [
    'This is the demo model of Parley. It is not a language model: it only repeats your message.',
    ...files,
    `You wrote: ${question}`,
  ].join(files.length > 0 ? '\n\n' : ' ');
}

/** Returns the first lines of a file that is sent as text; nothing for any other text. */
function firstLinesOf(text: string): string[] {
  const [title, name = ''] = FILE_TITLE.exec(text) ?? [];
  if (title === undefined) return [];
  const lines = text
    .slice(title.length, title.length + MAX_LINES_UNITS)
    .trim()
    .split('\n', MAX_LINES);
  return [`The first lines of ${name}:\n${lines.join('\n').toWellFormed()}`];
}

function textOf(message: ChatMessage): string {
  return textsOf(message).join('');
}

function textsOf({ content }: ChatMessage): string[] {
  if (typeof content === 'string') return [content];
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : ''));
}

/** Splits a text into demo tokens. A token is a word including the white space before it. */
function splitIntoTokens(text: string): string[] {
  // Split between a word and white space. A pattern that matched the words themselves would exhaust the stack
  // on a word of millions of characters.
  return text === '' ? [] : text.split(/(?<=\S)(?=\s)/u);
}
