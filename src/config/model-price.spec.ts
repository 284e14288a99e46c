import { describe, expect, it } from '@jest/globals';
import { parseModelPrices } from './model-price.js';

describe('MODEL_PRICES', () => {
  it('accepts prices by full name', () => {
    expect(parseModelPrices('{"vllm/a":{"input":1,"output":2.5,"cached":0.1,"cache_write":1.25}}')).toEqual({
      'vllm/a': { input: 1, output: 2.5, cacheRead: 0.1, cacheWrite: 1.25 },
    });
    expect(parseModelPrices('{"ollama/*":{"input":0,"output":0}}')).toEqual({
      'ollama/*': { input: 0, output: 0 },
    });
  });

  it.each([
    'nothing',
    '[]',
    'null',
    '{"gpt-5":{"input":1,"output":2}}',
    '{"openai/gpt-5":{"input":1}}',
    '{"openai/gpt-5":{"input":-1,"output":2}}',
    '{"openai/gpt-5":{"input":"1","output":2}}',
    '{"openai/gpt-5":{"input":1,"output":2,"cache":1}}',
    '{"openai/gpt-5":null}',
  ])('rejects %s', (text) => {
    expect(parseModelPrices(text)).toBeUndefined();
  });
});
