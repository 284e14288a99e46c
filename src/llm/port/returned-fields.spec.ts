import { describe, expect, it } from '@jest/globals';
import { readReturnedFields, ReturnedFieldsCollector } from './returned-fields.js';

const AT = { provider: 'host', model: 'm' };

function collect(...deltas: object[]): unknown {
  const collector = new ReturnedFieldsCollector();
  for (const delta of deltas) collector.add(delta);
  return collector.providerData(AT);
}

describe('fields that are returned to their provider', () => {
  it('are absent if a host sends none', () => {
    expect(
      collect({ content: 'Hi' }, { reasoning_content: null, tool_calls: [{ index: 0 }] }),
    ).toBeUndefined();
  });

  it('are assembled from the deltas of a stream', () => {
    const detail = (more: object): object => ({
      reasoning_details: [{ type: 'reasoning.text', index: 0, ...more }],
    });
    expect(
      collect(
        { reasoning_content: 'I ' },
        { reasoning_content: 'look.', ...detail({ text: 'I ' }) },
        detail({ text: 'look.' }),
        detail({ text: null, signature: 'sig' }),
        { reasoning_details: [{ type: 'reasoning.encrypted', index: 1, data: 'x' }] },
        { tool_calls: [{ index: 0, id: 'a' }] },
        { tool_calls: [{ index: 1, id: 'b' }] },
        { tool_calls: [{ index: 1, extra_content: { google: {} } }] },
      ),
    ).toEqual({
      provider: 'host',
      blocks: {
        model: 'm',
        reasoning_content: 'I look.',
        reasoning_details: [
          { type: 'reasoning.text', index: 0, text: 'I look.', signature: 'sig' },
          { type: 'reasoning.encrypted', index: 1, data: 'x' },
        ],
        call_extras: [null, { google: {} }],
      },
    });
  });

  it.each<[string, object[]]>([
    [
      'the indexes do not start at 0',
      [
        { tool_calls: [{ index: 1, id: 'a', extra_content: { of: 'a' } }] },
        { tool_calls: [{ index: 2, id: 'b' }] },
      ],
    ],
    [
      'the indexes have a gap',
      [
        { tool_calls: [{ index: 0, id: 'a' }] },
        { tool_calls: [{ index: 7, id: 'b' }] },
        { tool_calls: [{ index: 0, extra_content: { of: 'a' } }] },
      ],
    ],
    [
      'all calls of a whole message have the same index',
      [
        {
          tool_calls: [
            { index: 0, id: 'a', extra_content: { of: 'a' } },
            { index: 0, id: 'b' },
          ],
        },
      ],
    ],
    [
      'the calls of a whole message have no index',
      [{ tool_calls: [{ id: 'a', extra_content: { of: 'a' } }, { id: 'b' }] }],
    ],
  ])('are those of the call that they came with if %s', (_what, deltas) => {
    expect(collect(...deltas)).toMatchObject({ blocks: { call_extras: [{ of: 'a' }, null] } });
  });

  it('are read from data of any shape', () => {
    for (const blocks of [null, 'x', [], { model: 1 }, { reasoning_content: 'x' }]) {
      expect(readReturnedFields({ provider: 'host', blocks })).toBeUndefined();
    }
    expect(
      readReturnedFields({ provider: 'host', blocks: { model: 'm', reasoning_details: 'x', reasoning: 7 } }),
    ).toEqual({ model: 'm' });
  });
});
