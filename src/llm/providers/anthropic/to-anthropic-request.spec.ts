import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../common/errors.js';
import type { ChatRequest } from '../../port/index.js';
import { droppedParameters, toMessagesRequest } from './to-anthropic-request.js';

const CURRENT = 'claude-opus-5-5';
const OLD = 'claude-sonnet-4-5-20250929';
const FOREIGN = 'glm-5';

/** @param request as a caller may send it, including fields that the types do not declare */
function convert(request: object, model = CURRENT): ReturnType<typeof toMessagesRequest> {
  const whole: ChatRequest = { messages: [{ role: 'user', content: 'Hi' }], ...request };
  return toMessagesRequest({ request: whole, model });
}

const tool = (name: string, more: object = {}): object => ({ type: 'function', function: { name, ...more } });
const clock = tool('clock');

describe('toMessagesRequest', () => {
  it('creates a streaming request with the limit that the API requires', () => {
    expect(convert({})).toEqual({
      model: CURRENT,
      max_tokens: 32_000,
      stream: true,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    });
  });

  it.each([
    ['max_tokens', { max_tokens: 5 }, { max_tokens: 5 }],
    ['max_completion_tokens first', { max_tokens: 5, max_completion_tokens: 6 }, { max_tokens: 6 }],
    ['one stop', { stop: 'END' }, { stop_sequences: ['END'] }],
    ['several stops', { stop: ['A', 'B'] }, { stop_sequences: ['A', 'B'] }],
    ['the user', { user: 'u-1' }, { metadata: { user_id: 'u-1' } }],
    [
      'system messages',
      {
        messages: [
          { role: 'system', content: 'S' },
          { role: 'user', content: 'Hi' },
        ],
      },
      { system: [{ type: 'text', text: 'S' }] },
    ],
    [
      'nothing of null',
      { user: null, stop: null, tools: null, response_format: null },
      { max_tokens: 32_000 },
    ],
    [
      'a JSON schema',
      { response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } } },
      { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
    ],
  ])('converts %s', (_name, request, expected) => {
    expect(convert(request)).toMatchObject(expected);
  });

  it.each([
    [CURRENT, { temperature: 0.5, top_p: 0.9 }, undefined, undefined],
    ['claude-opus-4-7', { temperature: 0.5 }, undefined, undefined],
    ['claude-fable-5', { top_p: 0.9 }, undefined, undefined],
    ['claude-of-tomorrow', { temperature: 0.5 }, undefined, undefined],
    ['claude-sonnet-4-6', { temperature: 0.5, top_p: 0.9 }, 0.5, undefined],
    [OLD, { top_p: 0.9 }, undefined, 0.9],
    ['claude-opus-4-20250514', { temperature: 0.5 }, 0.5, undefined],
    ['claude-3-5-haiku-20241022', { temperature: 0.5 }, 0.5, undefined],
    [FOREIGN, { temperature: 0.5, top_p: 0.9 }, 0.5, 0.9],
  ])('sends %s of %j only the parameters that the model accepts', (model, request, temperature, top_p) => {
    const sent = convert(request, model);
    expect([sent.temperature, sent.top_p]).toEqual([temperature, top_p]);
  });

  it.each([
    [CURRENT, 'minimal', { type: 'adaptive', display: 'summarized' }, { effort: 'low' }],
    [CURRENT, 'xhigh', { type: 'adaptive', display: 'summarized' }, { effort: 'xhigh' }],
    ['claude-opus-4-6', 'xhigh', { type: 'adaptive', display: 'summarized' }, { effort: 'high' }],
    [CURRENT, 'none', { type: 'disabled' }, undefined],
    [OLD, 'low', { type: 'enabled', budget_tokens: 1024 }, undefined],
    [OLD, 'max', { type: 'enabled', budget_tokens: 24_576 }, undefined],
    [FOREIGN, 'medium', { type: 'enabled', budget_tokens: 4096 }, undefined],
    [CURRENT, null, undefined, undefined],
  ])('enables thinking for %s with the effort %s', (model, effort, thinking, outputConfig) => {
    const sent = convert({ reasoning_effort: effort, temperature: 0.5 }, model);
    expect([sent.thinking, sent.output_config]).toEqual([thinking, outputConfig]);
    if (thinking !== undefined && thinking.type !== 'disabled')
      expect(sent).not.toHaveProperty('temperature');
  });

  it('keeps the thinking budget below the limit, and omits thinking if no budget is left', () => {
    const budgetOf = (max_tokens: number): unknown =>
      convert({ reasoning_effort: 'high', max_tokens }, OLD).thinking;
    expect(budgetOf(5000)).toEqual({ type: 'enabled', budget_tokens: 4999 });
    expect(budgetOf(1024)).toBeUndefined();
  });

  it('converts tools', () => {
    const parameters = { type: 'object', properties: { zone: { type: 'string' } } };
    const strict = { ...tool('dice', { parameters, strict: true, description: 'Rolls.' }) };
    const marked = { ...clock, cache_control: { type: 'ephemeral' } };
    expect(convert({ tools: [strict, marked] }).tools).toEqual([
      { name: 'dice', description: 'Rolls.', input_schema: parameters, strict: true },
      {
        name: 'clock',
        input_schema: { type: 'object', properties: {} },
        cache_control: { type: 'ephemeral' },
      },
    ]);
  });

  it.each([
    [{}, undefined],
    [{ tool_choice: 'auto' }, { type: 'auto' }],
    [{ tool_choice: 'none' }, { type: 'none' }],
    [{ tool_choice: 'required' }, { type: 'any' }],
    [{ tool_choice: tool('clock') }, { type: 'tool', name: 'clock' }],
    [{ parallel_tool_calls: false }, { type: 'auto', disable_parallel_tool_use: true }],
    [
      { tool_choice: 'required', parallel_tool_calls: false },
      { type: 'any', disable_parallel_tool_use: true },
    ],
    [{ tool_choice: 'none', parallel_tool_calls: false }, { type: 'none' }],
  ])('converts the tool choice %j to %j', (request, expected) => {
    expect(convert({ tools: [clock], ...request }).tool_choice).toEqual(expected);
    expect(convert(request)).not.toHaveProperty('tool_choice');
  });

  it.each([
    ['response_format', { response_format: { type: 'json_object' } }],
    ['schema', { response_format: { type: 'json_schema', json_schema: { name: 'n' } } }],
    ['custom', { tools: [{ type: 'custom', custom: { name: 'c' } }] }],
    ['allowed_tools', { tools: [clock], tool_choice: { type: 'allowed_tools', allowed_tools: {} } }],
  ])('refuses %s, which it cannot honor, and names it', (named, request) => {
    let refused: unknown;
    try {
      convert(request);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(AppError);
    expect(refused).toMatchObject({ code: 'invalid_request', message: expect.stringContaining(named) });
  });
});

describe('the hints that a Claude model does not accept', () => {
  const messages: ChatRequest['messages'] = [{ role: 'user', content: 'Hi' }];
  const called: ChatRequest['messages'] = [
    ...messages,
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'clock', arguments: '{}' } }],
    },
    { role: 'tool', tool_call_id: 'a', content: '12:00' },
  ];

  it.each<[string, string, Partial<ChatRequest>, string[]]>([
    ['current models sample by themselves', CURRENT, { temperature: 0.5 }, ['temperature']],
    ['older ones take one of two', OLD, { temperature: 0.5, top_p: 0.5 }, ['top_p']],
    [
      'a limit without room to think',
      OLD,
      { reasoning_effort: 'high', max_completion_tokens: 500 },
      ['reasoning_effort'],
    ],
    [
      'an effort that is known by another name',
      CURRENT,
      { reasoning_effort: 'minimal' },
      ['reasoning_effort'],
    ],
    ['an effort that is known', CURRENT, { reasoning_effort: 'high' }, []],
    ['no effort', OLD, { reasoning_effort: 'none' }, []],
    [
      'calls that it has not signed',
      OLD,
      { reasoning_effort: 'high', messages: called },
      ['reasoning_effort'],
    ],
    ['the same for adaptive thinking', CURRENT, { reasoning_effort: 'high', messages: called }, []],
    [
      'a tool that must be called',
      CURRENT,
      {
        reasoning_effort: 'high',
        tools: [{ type: 'function', function: { name: 'f' } }],
        tool_choice: 'required',
      },
      ['reasoning_effort'],
    ],
    ['a forced tool call without tools', CURRENT, { tool_choice: 'required' }, ['tool_choice']],
    ['no tool call without tools', CURRENT, { tool_choice: 'none' }, []],
    ['a stop sequence without a letter', OLD, { stop: ['\n', 'END'] }, ['stop']],
  ])('are reported: %s', (_what, model, request, names) => {
    expect(droppedParameters({ messages, ...request }, model)).toEqual(names);
  });

  it('are not sent', () => {
    expect(convert({ reasoning_effort: 'high', messages: called, temperature: 0.5 }, OLD)).not.toHaveProperty(
      'thinking',
    );
    expect(convert({ stop: ['\n', 'END'] }).stop_sequences).toEqual(['END']);
  });

  it('do not include blank messages: a conversation without content is refused as an invalid request', () => {
    expect(() => convert({ messages: [{ role: 'user', content: ' ' }] })).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 'messages' }),
    );
  });
});
