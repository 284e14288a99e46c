import type { CitationFilter } from '../../features/rag/index.js';
import type { ChatChunk, ModelAnswer, ModelEvent } from '../../llm/index.js';

type Choice = ChatChunk['choices'][number];
type ChunkEvent = Extract<ModelEvent, { type: 'chunk' }>;

/**
 * Removes the markers of sources that do not exist from a streamed answer of one choice.
 * @throws what the events throw
 */
export async function* filterCitations(
  events: AsyncIterable<ModelEvent>,
  filter: CitationFilter,
): AsyncGenerator<ModelEvent> {
  for await (const event of events) {
    const [choice] = event.type === 'chunk' ? event.chunk.choices : [];
    if (event.type === 'chunk' && choice !== undefined) yield* filterChunk(event, choice, filter);
    else yield event;
  }
}

function* filterChunk(event: ChunkEvent, choice: Choice, filter: CitationFilter): Generator<ChunkEvent> {
  const { delta, finish_reason: finishReason } = choice;
  const content = delta.content ?? '';
  // A refusal replaces the text.
  const isEnd = Boolean(finishReason) || Boolean(delta.refusal);
  const text = filter.push(content) + (isEnd ? filter.end() : '');
  if (text === content) {
    yield event;
    return;
  }
  const { chunk } = event;
  const filtered: Choice = { ...choice, delta: { ...delta, content: text } };
  if (!finishReason) {
    yield { type: 'chunk', chunk: { ...chunk, choices: [filtered] } };
    return;
  }
  // Some clients do not read the text of the last chunk.
  const { usage: _usage, ...head } = chunk;
  yield { type: 'chunk', chunk: { ...head, choices: [{ ...filtered, finish_reason: null }] } };
  yield { type: 'chunk', chunk: { ...chunk, choices: [{ ...choice, delta: {} }] } };
}

/** Removes the markers of sources that do not exist from a whole answer of one choice. */
export function withoutFalseCitations(answer: ModelAnswer, filter: CitationFilter): ModelAnswer {
  const { completion, raw: _raw, ...rest } = answer;
  const choices = completion.choices.map((choice) => {
    const { content } = choice.message;
    if (content === null) return choice;
    return { ...choice, message: { ...choice.message, content: filter.push(content) + filter.end() } };
  });
  return { ...rest, completion: { ...completion, choices } };
}
