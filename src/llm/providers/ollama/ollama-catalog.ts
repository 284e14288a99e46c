import {
  type EmbeddingCall,
  type EmbeddingResult,
  getField,
  isErrorReport,
  ProviderError,
  parseReplyCount,
  toHostError,
  invalidResponseError,
} from '../../port/index.js';

/**
 * Returns the texts of an embeddings request.
 * @throws ProviderError `rejected` for tokens: they belong to another vocabulary than the model's
 */
export function textsOf(input: EmbeddingCall['input']): string[] {
  const texts: string[] = [];
  for (const item of input) {
    if (typeof item !== 'string')
      throw new ProviderError(
        'rejected',
        'An Ollama server only embeds text: send `input` as text, not as tokens.',
      );
    texts.push(item);
  }
  return texts;
}

/**
 * Reads the response of `POST /api/embed`.
 * @throws ProviderError for an error with a success status, and for anything but one vector per text
 */
export function readOllamaEmbeddings(answer: unknown, count: number): EmbeddingResult {
  const embeddings = getField(checked(answer), 'embeddings');
  if (!isVectors(embeddings) || embeddings.length !== count)
    throw invalidResponseError('it does not have one vector for each text');
  return { vectors: embeddings, inputTokens: parseReplyCount(getField(answer, 'prompt_eval_count')) };
}

/**
 * Reads the response of `GET /api/tags`.
 * @throws ProviderError for an error with a success status, and for a value that is not a list
 */
export function readModelNames(answer: unknown): string[] {
  const models = getField(checked(answer), 'models');
  if (!Array.isArray(models)) throw invalidResponseError('it is not a list of models');
  return models
    .map((model) => getField(model, 'name') ?? getField(model, 'model'))
    .filter((name) => typeof name === 'string');
}

/**
 * Reads from the response of `POST /api/show` if the model supports images; undefined if it lists no
 * capabilities.
 */
export function readImageSupport(answer: unknown): boolean | undefined {
  const capabilities = getField(checked(answer), 'capabilities');
  return Array.isArray(capabilities) ? capabilities.includes('vision') : undefined;
}

/** @throws ProviderError for an error report, which may have a success status */
function checked(answer: unknown): unknown {
  if (isErrorReport(answer)) throw toHostError({ body: answer });
  return answer;
}

function isVectors(value: unknown): value is number[][] {
  return (
    Array.isArray(value) &&
    value.every(
      (vector) =>
        Array.isArray(vector) && vector.length > 0 && vector.every((component) => Number.isFinite(component)),
    )
  );
}
