import { describe, expect, it } from '@jest/globals';
import { parseParleyLine } from './parley-line.js';

const MESSAGES = [{ role: 'user', content: 'Hello' }];
const ENVELOPE = {
  custom_id: 'a',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { messages: MESSAGES },
};

describe('parseParleyLine', () => {
  it('makes the same chat of a text, of messages and of a line in OpenAI’s format', () => {
    const parse = parseParleyLine({ model: 'demo/echo', temperature: 0.5 }, 'chat');
    const line = {
      customId: 'a',
      model: 'demo/echo',
      body: { model: 'demo/echo', temperature: 0.5, messages: MESSAGES },
    };
    expect(parse({ custom_id: 'a', text: 'Hello' }, 1)).toEqual({ line });
    expect(parse({ custom_id: 'a', messages: MESSAGES }, 1)).toEqual({ line });
    expect(parse(ENVELOPE, 1)).toEqual({ line });
  });

  it('names a request without custom_id by its line', () => {
    const parse = parseParleyLine({}, 'chat');
    expect(parse({ text: 'Hello' }, 7)).toMatchObject({ line: { customId: 'request-7', model: undefined } });
    expect(parse({ text: 'Hello', custom_id: null }, 8)).toMatchObject({ line: { customId: 'request-8' } });
  });

  it('prefers the fields of a request to the shared ones, and counts null as absent', () => {
    const parse = parseParleyLine({ model: 'one', temperature: 0.5, max_tokens: 5 }, 'chat');
    expect(parse({ text: 'Hello', model: 'two', temperature: null, max_completion_tokens: 9 }, 1)).toEqual({
      line: {
        customId: 'request-1',
        model: 'two',
        body: { model: 'two', temperature: 0.5, max_completion_tokens: 9, messages: MESSAGES },
      },
    });
  });

  it('puts the system prompt first, unless the messages have instructions of their own', () => {
    const parse = parseParleyLine({ system_prompt: 'Be kind.' }, 'chat');
    const system = { role: 'system', content: 'Be kind.' };
    expect(parse({ text: 'Hello' }, 1)).toMatchObject({
      line: { body: { messages: [system, ...MESSAGES] } },
    });
    expect(parse({ text: 'Hello', system_prompt: 'Be brief.' }, 1)).toMatchObject({
      line: { body: { messages: [{ role: 'system', content: 'Be brief.' }, ...MESSAGES] } },
    });
    for (const role of ['system', 'developer']) {
      const messages = [{ role, content: 'Be brief.' }, ...MESSAGES];
      expect(parse({ messages }, 1)).toEqual({
        line: { customId: 'request-1', model: undefined, body: { messages } },
      });
    }
  });

  it('makes embeddings of texts, inputs and lines in OpenAI’s format', () => {
    const parse = parseParleyLine({ model: 'm', dimensions: 3 }, 'embed');
    const line = { customId: 'a', model: 'm', body: { model: 'm', dimensions: 3, input: 'Hello' } };
    expect(parse({ custom_id: 'a', text: 'Hello' }, 1)).toEqual({ line });
    expect(parse({ custom_id: 'a', input: 'Hello' }, 1)).toEqual({ line });
    const envelope = { custom_id: 'a', method: 'POST', url: '/v1/embeddings', body: { input: 'Hello' } };
    expect(parse(envelope, 1)).toEqual({ line });
  });

  it.each<[string, unknown, string, string | null]>([
    ['a text', 'Hello', 'invalid_json_line', null],
    ['a list', [], 'invalid_json_line', null],
    ['null', null, 'invalid_json_line', null],
    ['an empty custom_id', { custom_id: '', text: 'a' }, 'invalid_custom_id', 'custom_id'],
    ['a number as custom_id', { custom_id: 1, text: 'a' }, 'invalid_custom_id', 'custom_id'],
    ['NUL in its custom_id', { custom_id: 'a\0', text: 'a' }, 'invalid_custom_id', 'custom_id'],
    ['half a character as custom_id', { custom_id: '\ud800', text: 'a' }, 'invalid_custom_id', 'custom_id'],
    ['a long custom_id', { custom_id: 'x'.repeat(513), text: 'a' }, 'invalid_custom_id', 'custom_id'],
    ['no input', { custom_id: 'a' }, 'missing_required_parameter', 'text'],
    ['two inputs', { text: 'a', messages: MESSAGES }, 'invalid_request', 'text'],
    ['a blank text', { text: ' ' }, 'invalid_request', 'text'],
    ['a number as text', { text: 1 }, 'invalid_request', 'text'],
    ['no message', { messages: [] }, 'invalid_request', 'messages'],
    ['messages that are no list', { messages: 'Hello' }, 'invalid_request', 'messages'],
    ['a number as model', { text: 'a', model: 1 }, 'invalid_request', 'model'],
    ['a long model', { text: 'a', model: 'x'.repeat(257) }, 'invalid_request', 'model'],
    ['a number as system prompt', { text: 'a', system_prompt: 1 }, 'invalid_request', 'system_prompt'],
    ['another method', { ...ENVELOPE, method: 'GET' }, 'invalid_method', 'method'],
    ['another route', { ...ENVELOPE, url: '/v1/embeddings' }, 'url_mismatch', 'url'],
    ['a batch within the batch', { ...ENVELOPE, url: '/v1/batches' }, 'url_mismatch', 'url'],
    ['a list as body', { ...ENVELOPE, body: [] }, 'invalid_body', 'body'],
    ['a body without messages', { ...ENVELOPE, body: {} }, 'missing_required_parameter', 'body.messages'],
    ['a field beside its body', { ...ENVELOPE, color: 'red' }, 'invalid_request', 'color'],
  ])('reports the fault of a line with %s', (_name, json, code, param) => {
    expect(parseParleyLine({}, 'chat')(json, 1)).toEqual({
      fault: { code, param, message: expect.stringMatching(/\.$/) },
    });
  });

  it('reports an embedding without a model, and one with a system prompt', () => {
    const fault = (json: unknown) => parseParleyLine({}, 'embed')(json, 1);
    expect(fault({ text: 'a' })).toMatchObject({ fault: { param: 'model' } });
    expect(fault({ text: 'a', model: 'm', system_prompt: 'b' })).toMatchObject({
      fault: { param: 'system_prompt' },
    });
  });
});
