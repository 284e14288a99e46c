import { type EmbeddingCall, type EmbeddingResult, ProviderError } from '../../port/index.js';
import { toProviderErrorInStream } from './ollama-errors.js';

/**
 * The texts of a call for embeddings.
 * @throws ProviderError `rejected` for tokens: they are those of another vocabulary than the model's
 */
export function textsOf(input: EmbeddingCall['input']): string[] {
  const texts: string[] = [];
  for (const item of input) {
    if (typeof item !== 'string')
      throw new ProviderError(
        'rejected',
        'An Ollama server embeds texts only: send `input` as text, not as tokens.',
      );
    texts.push(item);
  }
  return texts;
}

/**
 * The answer of `POST /api/embed`.
 * @throws ProviderError `broken_answer` where it does not hold one vector for each text
 */
export function readEmbeddings(answer: unknown, count: number): EmbeddingResult {
  const { embeddings, prompt_eval_count: inputTokens } = fieldsOf(answer);
  if (!isVectors(embeddings) || embeddings.length !== count)
    throw new ProviderError('broken_answer', 'The provider did not answer with one vector for each text.');
  return { vectors: embeddings, inputTokens: typeof inputTokens === 'number' ? inputTokens : undefined };
}

/**
 * The answer of `GET /api/tags`.
 * @throws ProviderError `broken_answer` where it is no list
 */
export function readModelNames(answer: unknown): string[] {
  const { models } = fieldsOf(answer);
  if (!Array.isArray(models))
    throw new ProviderError('broken_answer', 'The provider did not answer with a list.');
  return models.map((model) => fieldsOf(model).name).filter((name) => typeof name === 'string');
}

/** What the answer of `POST /api/show` tells of images; undefined where it is one of a server that tells no capabilities yet. */
export function readsImages(answer: unknown): boolean | undefined {
  const { capabilities } = fieldsOf(answer);
  return Array.isArray(capabilities) ? capabilities.includes('vision') : undefined;
}

interface AnswerFields {
  readonly embeddings?: unknown;
  readonly prompt_eval_count?: unknown;
  readonly models?: unknown;
  readonly capabilities?: unknown;
  readonly name?: unknown;
}

/** The fields of an answer, which may be anything; an error can come with a good status. */
function fieldsOf(answer: unknown): AnswerFields {
  if (typeof answer !== 'object' || answer === null) return {};
  if ('error' in answer) throw toProviderErrorInStream(answer.error);
  return answer;
}

function isVectors(value: unknown): value is number[][] {
  return (
    Array.isArray(value) &&
    value.every(
      (vector) =>
        Array.isArray(vector) &&
        vector.length > 0 &&
        vector.every((component) => typeof component === 'number'),
    )
  );
}
