import {
  getField,
  isErrorReport,
  type ListedModel,
  parseReply,
  parseReplyCount,
  toHostError,
  invalidResponseError,
} from '../../port/index.js';

/**
 * Paths of the fields in which hosts report the context window of a model; OpenAI itself does not. In order:
 * vLLM and SGLang; OpenRouter, Together and others; Groq; Mistral and LM Studio; llama.cpp, for the value it
 * was started with and the one the model was trained with.
 */
const WINDOWS: readonly (readonly string[])[] = [
  ['max_model_len'],
  ['context_length'],
  ['top_provider', 'context_length'],
  ['context_window'],
  ['loaded_context_length'],
  ['max_context_length'],
  ['meta', 'n_ctx'],
  ['meta', 'n_ctx_train'],
];

/**
 * Reads the response to `GET /v1/models`: OpenAI's list, the bare list of Together, or `{"models":[…]}`.
 * @throws ProviderError for an error with a success status, and for a value that is not a list
 */
export function readListedModels(text: string): ListedModel[] {
  const value = parseReply(text);
  if (isErrorReport(value)) throw toHostError({ body: value });
  const list = [
    value,
    getField(value, 'data'),
    getField(value, 'models'),
    getField(getField(value, 'data'), 'models'),
  ].find((one) => Array.isArray(one));
  if (!Array.isArray(list)) throw invalidResponseError('it is not a list of models');
  const models = list.map(toListedModel).filter((model) => model !== undefined);
  return [...new Map(models.map((model) => [model.id, model])).values()];
}

/** Converts an entry of the list; undefined for one without a name. Some hosts send only names. */
export function toListedModel(model: unknown): ListedModel | undefined {
  const names = [model, getField(model, 'id'), getField(model, 'model'), getField(model, 'name')];
  const id = names.find((name) => typeof name === 'string' && name !== '');
  if (typeof id !== 'string') return undefined;
  const reported = WINDOWS.map((path) => parseReplyCount(path.reduce(getField, model))).filter(
    (window) => window !== undefined,
  );
  const windows = reported.filter((window) => window > 0);
  // Several values are all upper bounds, and the smallest is reached first.
  return windows.length === 0 ? { id } : { id, contextWindow: Math.min(...windows) };
}
