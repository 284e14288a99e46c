import { fieldOf, type ListedModel } from '../../port/index.js';

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

/** An entry of `GET /v1/models`. */
export function toListedModel(model: { readonly id: string }): ListedModel {
  const told = WINDOWS.map((path) => path.reduce(fieldOf, model)).filter(isWindow);
  // Where several are told they are bounds, and the smallest is the one that is met first.
  return told.length === 0 ? { id: model.id } : { id: model.id, contextWindow: Math.min(...told) };
}

function isWindow(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
