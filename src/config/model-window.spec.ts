import { describe, expect, it } from '@jest/globals';
import { parseContextWindows } from './model-window.js';

describe('MODEL_CONTEXT_WINDOWS', () => {
  it('accepts a number of tokens by full name, or for all models of a provider', () => {
    expect(parseContextWindows('{"vllm/org/a":32768,"ollama/*":16384}')).toEqual({
      'vllm/org/a': 32_768,
      'ollama/*': 16_384,
    });
    expect(parseContextWindows('{}')).toEqual({});
    expect(Object.keys(parseContextWindows('{"__proto__/a":4096}') ?? {})).toEqual(['__proto__/a']);
  });

  it.each([
    'no json',
    '[]',
    'null',
    '4096',
    '{"bare":4096}',
    '{"vllm/":4096}',
    '{"vllm/a":"4096"}',
    '{"vllm/a":255}',
    '{"vllm/a":4096.5}',
    '{"vllm/a":100000001}',
    '{"vllm/a":null}',
  ])('rejects %s', (text) => {
    expect(parseContextWindows(text)).toBeUndefined();
  });
});
