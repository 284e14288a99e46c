import {
  fieldOf,
  isErrorReport,
  type ListedModel,
  parseReply,
  toCount,
  toHostError,
  unreadableAnswer,
} from '../../port/index.js';

/**
 * Where hosts tell how many tokens a model takes; OpenAI itself does not. In this order: vLLM and SGLang; OpenRouter,
 * Together and others; Groq; Mistral and LM Studio; llama.cpp, what it was started with and what the model was trained on.
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
 * Reads the answer of `GET /v1/models`: OpenAI's list, the bare one of Together, or `{"models":[…]}`.
 * @throws ProviderError for an error with a good status, and for what is no list
 */
export function readListedModels(text: string): ListedModel[] {
  const value = parseReply(text);
  if (isErrorReport(value)) throw toHostError({ body: value });
  const list = [
    value,
    fieldOf(value, 'data'),
    fieldOf(value, 'models'),
    fieldOf(fieldOf(value, 'data'), 'models'),
  ].find((one) => Array.isArray(one));
  if (!Array.isArray(list)) throw unreadableAnswer('it is not a list of models');
  const models = list.map(toListedModel).filter((model) => model !== undefined);
  return [...new Map(models.map((model) => [model.id, model])).values()];
}

/** Returns an entry of the list; undefined for one without a name. Some hosts write only names. */
export function toListedModel(model: unknown): ListedModel | undefined {
  const names = [model, fieldOf(model, 'id'), fieldOf(model, 'model'), fieldOf(model, 'name')];
  const id = names.find((name) => typeof name === 'string' && name !== '');
  if (typeof id !== 'string') return undefined;
  const told = WINDOWS.map((path) => toCount(path.reduce(fieldOf, model))).filter(
    (window) => window !== undefined,
  );
  const windows = told.filter((window) => window > 0);
  // Where several are told they are bounds, and the smallest is the one that is met first.
  return windows.length === 0 ? { id } : { id, contextWindow: Math.min(...windows) };
}
