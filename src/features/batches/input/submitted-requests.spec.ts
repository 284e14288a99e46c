import { describe, expect, it } from '@jest/globals';
import { InvalidRequestError } from '../../../common/errors.js';
import { parseParleyLine } from './parley-line.js';
import { readSubmittedRequests, type SubmittedRequests } from './submitted-requests.js';

function refusal(submitted: SubmittedRequests): { readonly message: string; readonly field: string | null } {
  try {
    Array.from(readSubmittedRequests(submitted, parseParleyLine({}, 'chat')));
  } catch (error) {
    if (error instanceof InvalidRequestError) return { message: error.message, field: error.param };
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('readSubmittedRequests', () => {
  it('yields the requests with their numbers', () => {
    const lines = [...readSubmittedRequests({ texts: ['One', 'Two'] }, parseParleyLine({}, 'chat'))];
    expect(lines.map(({ number, customId }) => [number, customId])).toEqual([
      [1, 'request-1'],
      [2, 'request-2'],
    ]);
  });

  it('names both places of a custom_id that occurs twice, also if one of them is a default', () => {
    expect(
      refusal({ requests: [{ custom_id: 'a', text: 'x' }, { text: 'y' }, { custom_id: 'a', text: 'z' }] }),
    ).toEqual({
      field: 'requests.2.custom_id',
      message: "requests.2.custom_id is 'a', as is requests.0.custom_id; each request needs another one.",
    });
    expect(refusal({ requests: [{ custom_id: 'request-2', text: 'x' }, { text: 'y' }] }).message).toContain(
      "requests.1.custom_id is 'request-2', as is requests.0.custom_id",
    );
  });

  it('names the place of a fault', () => {
    expect(refusal({ texts: ['One', ' '] })).toEqual({
      field: 'texts.1',
      message: 'texts.1 must be a string that is not blank.',
    });
    expect(refusal({ requests: [{ text: 'a', model: 1 }] })).toEqual({
      field: 'requests.0.model',
      message: 'requests.0.model must be a string of 1 to 256 characters.',
    });
    expect(refusal({ requests: [{ custom_id: 'a' }] })).toEqual({
      field: 'requests.0',
      message: 'requests.0: A request needs exactly one of text, messages and body.',
    });
  });

  it('names the shared field that texts lack', () => {
    const read = () => [...readSubmittedRequests({ texts: ['One'] }, parseParleyLine({}, 'embed'))];
    expect(read).toThrow('model is missing: embeddings have no default model.');
  });
});
