import { describe, expect, it } from '@jest/globals';
import { parseAliases, parseHosts } from './llm-host.js';

const HOST = { id: 'vllm', base_url: 'http://127.0.0.1:8000/v1' };

describe('LLM_HOSTS', () => {
  it('is a list of hosts, each with what it needs', () => {
    const full = {
      id: 'my-host.2',
      base_url: 'https://models.example.com/v1',
      api_key: 'k',
      models: ['a', 'b'],
      first_token_timeout_ms: 120_000,
    };
    expect(parseHosts(JSON.stringify([HOST, full]))).toEqual([
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
    expect(parseHosts('[]')).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['no list', HOST],
    ['null', null],
    ['a list of something else', ['vllm']],
    ['a list with null', [null]],
    ['no id', [{ base_url: HOST.base_url }]],
    ['an id with a slash', [{ ...HOST, id: 'a/b' }]],
    ['an empty id', [{ ...HOST, id: '' }]],
    ['an id in capitals', [{ ...HOST, id: 'VLLM' }]],
    ['the id of a provider of ours', [{ ...HOST, id: 'openai' }]],
    ['the id of the demo', [{ ...HOST, id: 'demo' }]],
    ['one id twice', [HOST, { ...HOST, base_url: 'http://other/v1' }]],
    ['no URL', [{ id: 'vllm' }]],
    ['a URL of another scheme', [{ ...HOST, base_url: 'ftp://host/v1' }]],
    ['a URL without a host', [{ ...HOST, base_url: 'http://' }]],
    ['a key that is no text', [{ ...HOST, api_key: 5 }]],
    ['models that are no list', [{ ...HOST, models: 'a' }]],
    ['a model that is no text', [{ ...HOST, models: ['a', 5] }]],
    ['a model without a name', [{ ...HOST, models: [''] }]],
    ['a wait of nothing', [{ ...HOST, first_token_timeout_ms: 0 }]],
    ['a wait that is no number', [{ ...HOST, first_token_timeout_ms: '5' }]],
    ['half a millisecond', [{ ...HOST, first_token_timeout_ms: 0.5 }]],
    ['a field that nobody knows', [{ ...HOST, url: 'x' }]],
  ])('is not %s', (_name, value) => {
    expect(parseHosts(JSON.stringify(value))).toBeUndefined();
  });

  it('is not a text that is no JSON', () => {
    expect(parseHosts('[{]')).toBeUndefined();
  });
});

describe('MODEL_ALIASES', () => {
  it('are names with their chains', () => {
    const aliases = { fast: ['openai/a', 'anthropic/b'], one: ['c'] };
    expect(parseAliases(JSON.stringify(aliases))).toEqual(aliases);
    expect(parseAliases('{}')).toEqual({});
  });

  it.each(['__proto__', 'constructor', 'toString'])('may be called %s', (name) => {
    const aliases = parseAliases(`{"${name}":["openai/a"],"other":["b"]}`) ?? {};
    expect(Object.entries(aliases)).toEqual([
      [name, ['openai/a']],
      ['other', ['b']],
    ]);
    expect(Object.getPrototypeOf(aliases)).toBe(Object.prototype);
  });

  it.each<[string, string]>([
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"fast"'],
    ['no JSON', '{fast}'],
    ['a chain that is no list', '{"fast":"a"}'],
    ['an empty chain', '{"fast":[]}'],
    ['a chain with something else', '{"fast":["a",5]}'],
    ['a chain with an empty name', '{"fast":[""]}'],
  ])('are not %s', (_name, text) => {
    expect(parseAliases(text)).toBeUndefined();
  });
});
