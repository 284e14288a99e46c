import { describe, expect, it } from '@jest/globals';
import { parseModelAliases, parseLlmHosts } from './llm-host.js';

const HOST = { id: 'vllm', base_url: 'http://127.0.0.1:8000/v1' };

describe('LLM_HOSTS', () => {
  it('is parsed as a list of hosts with their optional fields', () => {
    const full = {
      id: 'my-host.2',
      base_url: 'https://models.example.com/v1',
      api_key: 'k',
      models: ['a', 'b'],
      first_token_timeout_ms: 120_000,
    };
    expect(parseLlmHosts(JSON.stringify([HOST, full]))).toEqual([
      { id: 'vllm', baseUrl: HOST.base_url, apiKey: undefined, models: undefined, firstTokenMs: undefined },
      {
        id: 'my-host.2',
        baseUrl: full.base_url,
        apiKey: 'k',
        models: ['a', 'b'],
        firstTokenMs: 120_000,
      },
    ]);
  });

  it('may be empty', () => {
    expect(parseLlmHosts('[]')).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['an object', HOST],
    ['null', null],
    ['a list of something else', ['vllm']],
    ['a list with null', [null]],
    ['no id', [{ base_url: HOST.base_url }]],
    ['an id with a slash', [{ ...HOST, id: 'a/b' }]],
    ['an empty id', [{ ...HOST, id: '' }]],
    ['an id in capitals', [{ ...HOST, id: 'VLLM' }]],
    ['the id of a built-in provider', [{ ...HOST, id: 'openai' }]],
    ['the id of the demo provider', [{ ...HOST, id: 'demo' }]],
    ['a duplicate id', [HOST, { ...HOST, base_url: 'http://other/v1' }]],
    ['no URL', [{ id: 'vllm' }]],
    ['a URL of another scheme', [{ ...HOST, base_url: 'ftp://host/v1' }]],
    ['a URL without a host', [{ ...HOST, base_url: 'http://' }]],
    ['a key that is not a string', [{ ...HOST, api_key: 5 }]],
    ['models that are not an array', [{ ...HOST, models: 'a' }]],
    ['a model that is not a string', [{ ...HOST, models: ['a', 5] }]],
    ['a model without a name', [{ ...HOST, models: [''] }]],
    ['a timeout of zero', [{ ...HOST, first_token_timeout_ms: 0 }]],
    ['a timeout that is not a number', [{ ...HOST, first_token_timeout_ms: '5' }]],
    ['a fraction of a millisecond', [{ ...HOST, first_token_timeout_ms: 0.5 }]],
    ['an unknown field', [{ ...HOST, url: 'x' }]],
  ])('rejects %s', (_name, value) => {
    expect(parseLlmHosts(JSON.stringify(value))).toBeUndefined();
  });

  it('rejects invalid JSON', () => {
    expect(parseLlmHosts('[{]')).toBeUndefined();
  });
});

describe('MODEL_ALIASES', () => {
  it('is parsed as names with their chains', () => {
    const aliases = { fast: ['openai/a', 'anthropic/b'], one: ['c'] };
    expect(parseModelAliases(JSON.stringify(aliases))).toEqual(aliases);
    expect(parseModelAliases('{}')).toEqual({});
  });

  it.each(['__proto__', 'constructor', 'toString'])('accepts the name %s', (name) => {
    const aliases = parseModelAliases(`{"${name}":["openai/a"],"other":["b"]}`) ?? {};
    expect(Object.entries(aliases)).toEqual([
      [name, ['openai/a']],
      ['other', ['b']],
    ]);
    expect(Object.getPrototypeOf(aliases)).toBe(Object.prototype);
  });

  it.each<[string, string]>([
    ['a list', '[]'],
    ['null', 'null'],
    ['a string', '"fast"'],
    ['invalid JSON', '{fast}'],
    ['a chain that is not an array', '{"fast":"a"}'],
    ['an empty chain', '{"fast":[]}'],
    ['a chain with a number', '{"fast":["a",5]}'],
    ['a chain with an empty name', '{"fast":[""]}'],
  ])('rejects %s', (_name, text) => {
    expect(parseModelAliases(text)).toBeUndefined();
  });
});
