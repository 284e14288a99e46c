import { describe, expect, test } from '@jest/globals';
import { configuredModels } from './configured-models.js';
import { ModelLabels } from './model-labels.js';

const modelOf = (name: string) => {
  const slash = name.indexOf('/');
  return { name, provider: name.slice(0, slash), model: name.slice(slash + 1) };
};

const SETTINGS = {
  defaultModel: 'default-model',
  aliases: { fast: ['openai/first', 'vllm/meta/second'] },
  windows: { 'openai/windowed': 1000, 'anthropic/*': 1000 },
  titleModel: 'openai/title',
  embeddingModel: 'openai/embedder',
  summaryModel: undefined,
};

describe('the label of a model', () => {
  test.each([
    ['openai/default-model', 'default-model'],
    ['openai/first', 'first'],
    ['vllm/meta/second', 'meta/second'],
    ['openai/windowed', 'windowed'],
    ['openai/title', 'title'],
    ['openai/embedder', 'embedder'],
    ['openai/unknown', 'other'],
    ['anthropic/first', 'other'],
    ['anthropic/*', 'other'],
    ['openai/', 'other'],
  ])('%s is %s, because only settings name models', (name, label) => {
    const labels = new ModelLabels(configuredModels(SETTINGS));
    expect(labels.labelOf(modelOf(name))).toBe(label);
  });

  test('is "other" beyond 200 models, however many a provider lists, and stays the same for those before', () => {
    const labels = new ModelLabels(() => true);
    const used = Array.from({ length: 1000 }, (_, index) =>
      labels.labelOf(modelOf(`host/m${String(index)}`)),
    );
    expect(new Set(used).size).toBe(201);
    expect(used.at(-1)).toBe('other');
    expect(labels.labelOf(modelOf('host/m199'))).toBe('m199');
  });
});
