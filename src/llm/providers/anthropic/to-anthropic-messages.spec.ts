import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../common/errors.js';
import type { ChatMessage } from '../../port/index.js';
import { toAnthropicPrompt } from './to-anthropic-messages.js';

const call = (id: string, text: string) => ({
  id,
  type: 'function' as const,
  function: { name: 'clock', arguments: text },
});

const turnsOf = (messages: ChatMessage[]) => toAnthropicPrompt(messages).messages;

function refusalOf(convert: () => unknown): AppError {
  try {
    convert();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('The messages were not refused.');
}

/**
 * Creates a user message with parts as a caller may send them, including fields that the types do not declare.
 */
function user(...content: unknown[]): ChatMessage {
  const parts: object = { content };
  return { role: 'user', content: '', ...parts };
}

describe('toAnthropicPrompt', () => {
  it('extracts system and developer messages from any position', () => {
    const { system, messages } = toAnthropicPrompt([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
    ]);
    expect(system).toEqual([
      { type: 'text', text: 'Be brief.' },
      { type: 'text', text: 'Be kind.' },
    ]);
    expect(messages).toEqual([{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]);
  });

  it.each(
    (['system', 'developer', 'assistant'] as const).flatMap((role) =>
      [
        { type: 'image_url', image_url: { url: 'https://example.org/a.png' } },
        { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
        { type: 'file', file: { file_data: 'data:application/pdf;base64,AAAA' } },
      ].map((part): [string, typeof role, object] => [part.type, role, part]),
    ),
  )('refuses %s in a message with the role %s, and names the field', (_type, role, part) => {
    const sent: object = { role, content: [{ type: 'text', text: 'Look.' }, part] };
    const messages: ChatMessage[] = [
      { role: 'user', content: 'Hi' },
      { role: 'user', content: '', ...sent },
    ];
    const refusal = refusalOf(() => toAnthropicPrompt(messages));
    expect([refusal.code, refusal.param]).toEqual(['invalid_request', 'messages.1.content.1']);
    expect(refusal.message).toContain(`not in messages with the role '${role}'`);
  });

  it('refuses an answer that refers to audio', () => {
    const messages: ChatMessage[] = [{ role: 'assistant', content: null, audio: { id: 'audio_1' } }];
    expect(refusalOf(() => toAnthropicPrompt(messages)).param).toBe('messages.0.audio');
  });

  it.each([null, undefined])('omits a user message whose content is %s', (content) => {
    const empty: object = { content };
    expect(turnsOf([{ role: 'user', content: '', ...empty }])).toEqual([]);
  });

  it('merges neighbors, puts tool results into one user turn, and omits empty messages', () => {
    const turns = turnsOf([
      { role: 'user', content: 'one' },
      { role: 'user', content: 'two' },
      { role: 'assistant', content: '' },
      { role: 'assistant', content: null, tool_calls: [call('a', '{"zone":"UTC"}'), call('b', '')] },
      { role: 'tool', tool_call_id: 'a', content: '12:00' },
      { role: 'tool', tool_call_id: 'b', content: '' },
      { role: 'user', content: 'and now?' },
    ]);
    expect(turns).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'one' },
          { type: 'text', text: 'two' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'a', name: 'clock', input: { zone: 'UTC' } },
          { type: 'tool_use', id: 'b', name: 'clock', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: '12:00' }] },
          { type: 'tool_result', tool_use_id: 'b' },
          { type: 'text', text: 'and now?' },
        ],
      },
    ]);
  });

  it.each([
    [
      'text with a cache mark',
      { type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } },
      { type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } },
    ],
    [
      'an image in a data URL',
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
    ],
    [
      'an image at a URL',
      { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
      { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
    ],
    [
      'a PDF',
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
      {
        type: 'document',
        title: 'a.pdf',
        source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
      },
    ],
    [
      'a text file',
      { type: 'file', file: { file_data: 'data:text/markdown;charset=utf-8;base64,w7w=' } },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'ü' } },
    ],
    [
      'a text file that is not base64',
      { type: 'file', file: { file_data: 'data:text/plain,a%20b' } },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a b' } },
    ],
  ])('converts %s', (_name, part, block) => {
    expect(turnsOf([user(part)])).toEqual([{ role: 'user', content: [block] }]);
  });

  it('omits texts of only white space, and trims the end of an answer that is to be continued', () => {
    const blank = user({ type: 'text', text: ' \n' });
    const turns = turnsOf([
      blank,
      { role: 'user', content: 'x' },
      { role: 'assistant', content: 'It is \n' },
    ]);
    expect(turns).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'x' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'It is' }] },
    ]);
  });

  it.each(['image/jpg', 'image/pjpeg', 'IMAGE/JPEG', 'image/jpeg;charset=utf-8'])(
    'sends %s as image/jpeg',
    (type) => {
      const image = { type: 'image_url', image_url: { url: `data:${type};base64,AAAA` } };
      const source = { type: 'base64', media_type: 'image/jpeg', data: 'AAAA' };
      expect(turnsOf([user(image)])).toEqual([{ role: 'user', content: [{ type: 'image', source }] }]);
    },
  );

  it.each([
    ['audio', user({ type: 'input_audio', input_audio: {} }), 'input_audio'],
    [
      'an image of another type',
      user({ type: 'image_url', image_url: { url: 'data:image/tiff;base64,AA' } }),
      'image/tiff',
    ],
    ['an image that is no URL', user({ type: 'image_url', image_url: { url: 'AAAA' } }), 'image_url'],
    ['a file by its id', user({ type: 'file', file: { file_id: 'file-1' } }), 'file_data'],
    [
      'a file of another type',
      user({ type: 'file', file: { file_data: 'data:video/mp4;base64,AA' } }),
      'video/mp4',
    ],
    [
      'a file with a broken encoding',
      user({ type: 'file', file: { file_data: 'data:text/plain,%' } }),
      'file_data',
    ],
    ['arguments that are no JSON', { role: 'assistant', tool_calls: [call('call_7', '{"zone"')] }, 'call_7'],
    ['arguments that are no object', { role: 'assistant', tool_calls: [call('call_8', '[1]')] }, 'call_8'],
    ['a result of a function', { role: 'function', name: 'f', content: 'x' }, 'function'],
  ] satisfies [string, ChatMessage, string][])('refuses %s and names it', (_name, message, named) => {
    let refused: unknown;
    try {
      turnsOf([message]);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(AppError);
    expect(refused).toMatchObject({ code: 'invalid_request', message: expect.stringContaining(named) });
  });
});

describe('provider data of an answer', () => {
  const blocks = [
    { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
    { type: 'text', text: 'I ' },
    { type: 'text', text: 'look.', citations: [{ type: 'char_location' }] },
    { type: 'tool_use', id: 'a', name: 'clock', input: { zone: 'UTC' } },
  ];
  const answer = {
    role: 'assistant' as const,
    content: 'I look.',
    tool_calls: [call('a', '{"zone":"UTC"}')],
    provider_data: { provider: 'anthropic', blocks },
  };
  const plain = [
    { type: 'text', text: 'I look.' },
    { type: 'tool_use', id: 'a', name: 'clock', input: { zone: 'UTC' } },
  ];

  it('is sent back unchanged in place of the message', () => {
    expect(turnsOf([answer])).toEqual([{ role: 'assistant', content: blocks }]);
  });

  it('is sent back even if the client sends the text in parts', () => {
    const content = [
      { type: 'text' as const, text: 'I ' },
      { type: 'refusal' as const, refusal: '' },
      { type: 'text' as const, text: 'look.' },
    ];
    expect(turnsOf([{ ...answer, content }])).toEqual([{ role: 'assistant', content: blocks }]);
  });

  it.each([
    ['calls without a text', { content: null, tool_calls: [call('a', '{}')] }, blocks.toSpliced(1, 2)],
    ['a text without calls', { content: 'I look.' }, blocks.slice(0, 3)],
  ])('is sent back if the answer was %s', (_what, said, kept) => {
    const message = { role: 'assistant' as const, ...said };
    expect(turnsOf([{ ...message, provider_data: { provider: 'anthropic', blocks: kept } }])).toEqual([
      { role: 'assistant', content: kept },
    ]);
  });

  it.each([
    ['is of another provider', { ...answer, provider_data: { provider: 'other', blocks } }],
    [
      'is of a shape that we do not know',
      { ...answer, provider_data: { provider: 'anthropic', blocks: 'x' } },
    ],
    ['holds what is no block', { ...answer, provider_data: { provider: 'anthropic', blocks: [null] } }],
  ])('is dropped if it %s', (_name, message) => {
    expect(turnsOf([message])).toEqual([{ role: 'assistant', content: plain }]);
  });

  it('is dropped if the message was changed since', () => {
    expect(turnsOf([{ ...answer, content: 'I see.' }])[0]?.content[0]).toEqual({
      type: 'text',
      text: 'I see.',
    });
    expect(turnsOf([{ ...answer, tool_calls: [] }])[0]?.content).toEqual([{ type: 'text', text: 'I look.' }]);
  });
});
