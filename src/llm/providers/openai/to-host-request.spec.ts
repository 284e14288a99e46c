import { describe, expect, it } from '@jest/globals';
import type { ChatMessage, ProviderCall } from '../../port/index.js';
import { hostProfileOf } from './host-profile.js';
import { LearnedChanges } from './learned-changes.js';
import type { RequestChange } from './request-changes.js';
import { toHostRequest } from './to-host-request.js';

const PLAIN = 'http://127.0.0.1:8000/v1';
const USER: ChatMessage = { role: 'user', content: 'Hi' };

function convert(
  call: Partial<ProviderCall>,
  changes: readonly RequestChange[] = [],
  baseUrl: string | undefined = PLAIN,
): ReturnType<typeof toHostRequest> {
  const whole = { model: 'm', request: { messages: [USER] }, signal: new AbortController().signal, ...call };
  return toHostRequest(whole, { id: 'host', profile: hostProfileOf(baseUrl) }, new Set(changes));
}

describe('the name of a token limit', () => {
  const request = { messages: [USER], max_completion_tokens: 9 };
  const own = { ownChoices: ['limit_name'] as const };

  it.each<[string, string | undefined, string, object]>([
    ['OpenAI', undefined, 'gpt-4o', { max_completion_tokens: 9 }],
    ['Azure', 'https://x.openai.azure.com/openai/v1', 'mine', { max_completion_tokens: 9 }],
    ['any other host', PLAIN, 'm', { max_tokens: 9 }],
    ['a host whose name only ends alike', 'https://notopenai.com/v1', 'm', { max_tokens: 9 }],
    ['a reasoning model of OpenAI’s anywhere', PLAIN, 'openai/gpt-5', { max_completion_tokens: 9 }],
  ])('is the one for %s if we chose it', (_who, baseUrl, model, limit) => {
    expect(convert({ request, model, ...own }, [], baseUrl ?? 'https://api.openai.com/v1').body).toEqual({
      model,
      messages: [USER],
      ...limit,
    });
  });

  it('is the other one after a refusal', () => {
    const { body, possible } = convert({ request, ...own }, ['other_limit_name']);
    expect(body).toMatchObject({ max_completion_tokens: 9 });
    expect(body).not.toHaveProperty('max_tokens');
    expect(possible.has('other_limit_name')).toBe(false);
  });

  it('stays unchanged if the caller chose it', () => {
    const { body, possible } = convert({ request });
    expect(body).toEqual({ ...request, model: 'm' });
    expect(possible.has('other_limit_name')).toBe(false);
  });
});

describe('a temperature', () => {
  const request = { messages: [USER], temperature: 0.7 };

  it.each(['gpt-5', 'openai/gpt-5-mini', 'o1', 'o3-mini', 'ft:o4-mini:mine', 'OpenAI/O3'])(
    'that we chose is not sent to %s',
    (model) => {
      expect(convert({ request, model, ownChoices: ['temperature'] }).body).not.toHaveProperty('temperature');
      expect(convert({ request, model }).body).toMatchObject({ temperature: 0.7 });
    },
  );

  it.each(['gpt-4o', 'gpt-5-chat-latest', 'olmo-3', 'phi-o1'])(
    'that we chose is sent to %s until it is refused',
    (model) => {
      const call = { request, model, ownChoices: ['temperature'] as const };
      expect(convert(call).body).toMatchObject({ temperature: 0.7 });
      expect(convert(call, ['without_default_temperature']).body).not.toHaveProperty('temperature');
      expect(convert({ ...call, ownChoices: [] }, ['without_default_temperature']).body).toMatchObject({
        temperature: 0.7,
      });
    },
  );
});

describe('data that a host needs back', () => {
  const blocks = { model: 'm', reasoning_content: 'I look.', call_extras: [{ google: 1 }] };
  const call: ChatMessage = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
    provider_data: { provider: 'host', blocks },
  };
  const result: ChatMessage = { role: 'tool', tool_call_id: 'a', content: '1' };
  const end: ChatMessage = {
    role: 'assistant',
    content: 'One.',
    provider_data: { provider: 'host', blocks },
  };
  const sent = (
    messages: ChatMessage[],
    changes: readonly RequestChange[] = [],
    more: Partial<ProviderCall> = {},
  ) => convert({ request: { messages }, ...more }, changes).body.messages;

  it('is returned for all answers between two questions if one of them called tools', () => {
    const messages = sent([USER, call, result, end, USER, end, USER]);
    expect(messages.map((message) => 'reasoning_content' in message)).toEqual([
      false,
      true,
      false,
      true,
      false,
      false,
      false,
    ]);
    expect(messages[1]).toMatchObject({ tool_calls: [{ extra_content: { google: 1 } }] });
    expect(JSON.stringify(messages)).not.toContain('provider_data');
  });

  it('is not returned if the host refuses it, and signatures to no other model', () => {
    expect(sent([USER, call, result], ['without_returned_fields'])[1]).not.toHaveProperty(
      'reasoning_content',
    );
    const other = sent([USER, call, result], [], { model: 'other' })[1];
    expect(other).toMatchObject({ reasoning_content: 'I look.' });
    expect(JSON.stringify(other)).not.toContain('google');
  });

  it('is replaced by a placeholder if another provider wrote the answer, but only in our own history', () => {
    const { provider_data: _data, ...foreign } = call;
    const changes = ['with_reasoning_placeholder', 'with_signature_placeholder'] as const;
    expect(sent([USER, foreign, result], changes, { ownChoices: ['history'] })[1]).toMatchObject({
      reasoning_content: expect.stringMatching(/\w/),
      tool_calls: [{ extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } } }],
    });
    expect(sent([USER, foreign, result], changes)[1]).toEqual(foreign);
  });

  it('may be a placeholder answer between a result and a question', () => {
    const roles = (changes: readonly RequestChange[]): string[] =>
      sent([USER, call, result, USER], changes).map(({ role }) => role);
    expect(roles([])).toEqual(['user', 'assistant', 'tool', 'user']);
    expect(roles(['with_alternating_roles'])).toEqual(['user', 'assistant', 'tool', 'assistant', 'user']);
  });
});

describe('learned changes', () => {
  it('are applied for an hour', () => {
    let now = 0;
    const learned = new LearnedChanges(() => now);
    learned.add('m', ['other_limit_name']);
    learned.add('m', ['without_stream_options']);
    expect([...learned.of('m')]).toEqual(['other_limit_name', 'without_stream_options']);
    expect(learned.of('n').size).toBe(0);
    now = 3_600_000;
    expect(learned.of('m').size).toBe(0);
  });

  it('are cached for a thousand models, and the least recently used are evicted first', () => {
    const learned = new LearnedChanges();
    for (let index = 0; index < 1_000; index += 1) learned.add(`m${index}`, ['other_limit_name']);
    learned.of('m0');
    learned.add('new', ['other_limit_name']);
    expect([learned.of('m0').size, learned.of('m1').size, learned.of('new').size]).toEqual([1, 0, 1]);
  });
});
