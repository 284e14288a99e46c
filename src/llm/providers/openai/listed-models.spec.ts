import { describe, expect, it } from '@jest/globals';
import { toListedModel } from './listed-models.js';

const entry = { id: 'm', object: 'model', created: 1_700_000_000, owned_by: 'host' };

describe('a listed model', () => {
  it.each([
    ['vLLM', { max_model_len: 32_768 }, 32_768],
    ['Groq', { context_window: 131_072 }, 131_072],
    ['OpenRouter', { context_length: 1_000_000, top_provider: { context_length: 200_000 } }, 200_000],
    ['LM Studio', { max_context_length: 131_072, loaded_context_length: 4_096 }, 4_096],
    ['llama.cpp', { meta: { n_ctx_train: 131_072, n_params: 8e9 } }, 131_072],
    ['a newer llama.cpp', { meta: { n_ctx_train: 131_072, n_ctx: 8_192 } }, 8_192],
  ])('has the context window that %s reports', (_host, reported, contextWindow) => {
    expect(toListedModel({ ...entry, ...reported })).toEqual({ id: 'm', contextWindow });
  });

  it.each([
    ['nothing', {}],
    ['null', { context_length: null, top_provider: null, meta: null }],
    ['a word', { context_length: 'long' }],
    ['zero', { max_model_len: 0 }],
    ['a fraction', { max_model_len: 1.5 }],
  ])('has no context window if %s is reported', (_what, reported) => {
    expect(toListedModel({ ...entry, ...reported })).toEqual({ id: 'm' });
  });
});
