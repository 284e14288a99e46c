import { describe, expect, it } from '@jest/globals';
import { parseOpenAiLine } from './openai-line.js';

const LINE = {
  custom_id: 'a',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'demo/small', messages: [] },
};

describe('parseOpenAiLine', () => {
  it('returns the custom_id, the model and the body of a request', () => {
    expect(parseOpenAiLine('/v1/chat/completions')(LINE)).toEqual({
      line: { customId: 'a', model: 'demo/small', body: LINE.body },
    });
  });

  it.each([
    ['a text', 'text', 'invalid_json_line', null],
    ['a list', [LINE], 'invalid_json_line', null],
    ['null', null, 'invalid_json_line', null],
    ['no custom_id', { ...LINE, custom_id: undefined }, 'missing_required_parameter', 'custom_id'],
    ['an empty custom_id', { ...LINE, custom_id: '' }, 'invalid_custom_id', 'custom_id'],
    ['a number as custom_id', { ...LINE, custom_id: 1 }, 'invalid_custom_id', 'custom_id'],
    ['a long custom_id', { ...LINE, custom_id: 'x'.repeat(513) }, 'invalid_custom_id', 'custom_id'],
    ['NUL in its custom_id', { ...LINE, custom_id: 'a\0' }, 'invalid_custom_id', 'custom_id'],
    [
      'half a character in its custom_id',
      { ...LINE, custom_id: 'a\ud800' },
      'invalid_custom_id',
      'custom_id',
    ],
    ['no method', { ...LINE, method: null }, 'missing_required_parameter', 'method'],
    ['another method', { ...LINE, method: 'GET' }, 'invalid_method', 'method'],
    ['no url', { ...LINE, url: undefined }, 'missing_required_parameter', 'url'],
    ['another endpoint', { ...LINE, url: '/v1/embeddings' }, 'url_mismatch', 'url'],
    ['a batch within the batch', { ...LINE, url: '/v1/batches' }, 'url_mismatch', 'url'],
    ['no body', { ...LINE, body: undefined }, 'missing_required_parameter', 'body'],
    ['a list as body', { ...LINE, body: [] }, 'invalid_body', 'body'],
  ])('reports the fault of a line with %s', (_name, line, code, param) => {
    const parsed = parseOpenAiLine('/v1/chat/completions')(line);
    expect(parsed).toEqual({ fault: { code, param, message: expect.any(String) } });
  });

  it('accepts a custom_id of characters beyond the basic plane', () => {
    expect(parseOpenAiLine('/v1/chat/completions')({ ...LINE, custom_id: '🦜' })).toMatchObject({
      line: { customId: '🦜' },
    });
  });

  it('reports a request that names another model than the first one of its file', () => {
    const parse = parseOpenAiLine('/v1/chat/completions');
    parse(LINE);
    const other = { ...LINE, body: { ...LINE.body, model: 'demo/large' } };
    expect(parse(other)).toMatchObject({ fault: { code: 'model_mismatch', param: 'body.model' } });
    expect(parse({ ...LINE, body: {} })).toMatchObject({ fault: { code: 'model_mismatch' } });
    expect(parse(LINE)).toMatchObject({ line: { customId: 'a' } });
    expect(parseOpenAiLine('/v1/chat/completions')(other)).toMatchObject({ line: { customId: 'a' } });
  });
});
