import { describe, expect, it } from '@jest/globals';
import { CompletionAssembler, completionToChunks } from './assemble.js';
import type { ChatChunk, ChatCompletion } from './chat.js';

type Choice = ChatChunk['choices'][number];
type Logprobs = NonNullable<ChatCompletion['choices'][number]['logprobs']>;

const HEAD = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' } as const;
const USAGE = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };

const chunkOf = (
  delta: Choice['delta'] & { reasoning_content?: string },
  more: Partial<Choice> = {},
): ChatChunk => ({
  ...HEAD,
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});
const assemble = (...chunks: ChatChunk[]): ChatCompletion => {
  const assembler = new CompletionAssembler();
  for (const chunk of chunks) assembler.add(chunk);
  return assembler.completion();
};
const token = (text: string) => ({ token: text, bytes: null, logprob: -1, top_logprobs: [] });

describe('CompletionAssembler', () => {
  it('joins the text, the reasoning and the refusal, and passes on the provider data', () => {
    const provider_data = { provider: 'anthropic', blocks: [] };
    const { choices, usage } = assemble(
      chunkOf({ role: 'assistant', content: '' }),
      chunkOf({ reasoning_content: 'H' }),
      chunkOf({ reasoning_content: 'm', content: 'a' }),
      chunkOf({ content: 'b', refusal: 'N' }),
      chunkOf({ refusal: 'o', ...{ provider_data } }, { finish_reason: 'content_filter' }),
      { ...HEAD, choices: [], usage: USAGE },
    );
    expect(choices).toEqual([
      {
        index: 0,
        message: { role: 'assistant', content: 'ab', refusal: 'No', reasoning_content: 'Hm', provider_data },
        finish_reason: 'content_filter',
        logprobs: null,
      },
    ]);
    expect(usage).toEqual(USAGE);
  });

  it('joins tool calls, even if one has no id, name or arguments', () => {
    const { choices } = assemble(
      chunkOf({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{' } }] }),
      chunkOf({ tool_calls: [{ index: 0, function: { arguments: '}' } }, { index: 1 }] }),
    );
    expect(choices[0]?.message.tool_calls).toEqual([
      { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } },
      { id: '', type: 'function', function: { name: '', arguments: '' } },
    ]);
  });

  it('collects fields of a tool call beyond the canonical format', () => {
    const { choices } = assemble(
      chunkOf({ tool_calls: [{ index: 0, id: 'a', ...{ extra_content: { of: 'a' } } }] }),
      chunkOf({ tool_calls: [{ index: 0, function: { name: 'f' }, ...{ extra_content: null, more: 1 } }] }),
    );
    expect(choices[0]?.message.tool_calls).toEqual([
      {
        extra_content: { of: 'a' },
        more: 1,
        id: 'a',
        type: 'function',
        function: { name: 'f', arguments: '' },
      },
    ]);
    const [, chunk] = completionToChunks({ ...HEAD, object: 'chat.completion', choices });
    expect(chunk?.choices[0]?.delta.tool_calls).toMatchObject([
      { index: 0, id: 'a', extra_content: { of: 'a' } },
    ]);
  });

  it.each<[string, Logprobs[], Logprobs]>([
    [
      'of the text',
      [
        { content: [token('a')], refusal: null },
        { content: [token('b')], refusal: null },
      ],
      { content: [token('a'), token('b')], refusal: [] },
    ],
    [
      'of the refusal',
      [
        { content: null, refusal: [token('N')] },
        { content: null, refusal: [token('o')] },
      ],
      { content: [], refusal: [token('N'), token('o')] },
    ],
  ])('returns the log probabilities %s in order', (_what, parts, expected) => {
    const { choices } = assemble(...parts.map((logprobs) => chunkOf({}, { logprobs })));
    expect(choices[0]?.logprobs).toEqual(expected);
  });

  it('does not mix several choices', () => {
    const { choices } = assemble(
      chunkOf({ content: 'a' }),
      chunkOf({ content: 'x' }, { index: 1 }),
      chunkOf({ content: 'b' }),
    );
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, 'ab'],
      [1, 'x'],
    ]);
  });

  it('returns the service tier, which prices depend on', () => {
    expect(assemble({ ...chunkOf({ content: 'a' }), service_tier: 'flex' })).toMatchObject({
      service_tier: 'flex',
    });
  });

  it('returns an answer without choices for an empty stream', () => {
    expect(assemble()).toEqual({ id: '', object: 'chat.completion', created: 0, model: '', choices: [] });
  });
});

describe('completionToChunks', () => {
  const messageOf = (message: object): ChatCompletion => ({
    ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: null, refusal: null, ...message },
        finish_reason: 'stop',
        logprobs: null,
      },
    ],
  });
  const call = { id: 'a', type: 'function' as const, function: { name: 'f', arguments: '{}' } };

  it.each<[string, ChatCompletion]>([
    ['a text', messageOf({ content: 'Hi' })],
    ['a refusal', messageOf({ refusal: 'No' })],
    ['reasoning', messageOf({ content: 'Hi', reasoning_content: 'Hm' })],
    ['calls of tools', messageOf({ tool_calls: [call, { ...call, id: 'b' }] })],
    ['usage', { ...messageOf({ content: 'Hi' }), usage: USAGE }],
  ])('splits an answer with %s into chunks that assemble to the same answer', (_what, completion) => {
    const { content } = completion.choices[0]?.message ?? {};
    // The first chunk has an empty text, as OpenAI's does.
    const expected = messageOf({ ...completion.choices[0]?.message, content: content ?? '' });
    expect(assemble(...completionToChunks(completion))).toEqual({ ...completion, choices: expected.choices });
  });

  it('sends the role first, then the finish reason, then the usage, and nothing after it', () => {
    const chunks = completionToChunks({ ...messageOf({ content: 'Hi' }), usage: USAGE });
    expect(chunks.map(({ choices }) => [choices[0]?.delta.role, choices[0]?.finish_reason])).toEqual([
      ['assistant', null],
      [undefined, null],
      [undefined, 'stop'],
      [undefined, undefined],
    ]);
    expect(chunks.at(-1)?.usage).toEqual(USAGE);
  });

  it('omits custom tool calls, which have no streamed form, and fields that are null', () => {
    const custom = { id: 'b', type: 'custom' as const, custom: { name: 'g', input: 'x' } };
    const [, second] = completionToChunks(
      messageOf({ content: 'Hi', tool_calls: [custom], annotations: null }),
    );
    expect(second?.choices[0]?.delta).toEqual({ content: 'Hi', refusal: null });
  });
});
