import { describe, expect, it } from '@jest/globals';
import {
  parseExtractionReply,
  parseExtractionRequest,
  parseLimits,
  serializeLimits,
} from './extraction-protocol.js';

describe('the messages of a process for text extraction', () => {
  it.each<[unknown, unknown]>([
    [{ type: 'ready', more: 1 }, { type: 'ready' }],
    [{ type: 'accepted' }, { type: 'accepted' }],
    [
      { type: 'page', text: 'Hello' },
      { type: 'page', text: 'Hello' },
    ],
    [
      { type: 'complete', warnings: [{ code: 'damaged', pages: [2] }], reusable: true },
      { type: 'complete', warnings: [{ code: 'damaged', pages: [2] }], reusable: true },
    ],
    [
      { type: 'complete', warnings: [] },
      { type: 'complete', warnings: [], reusable: false },
    ],
    [
      { type: 'failed', error: 'empty', reusable: 1 },
      { type: 'failed', error: 'empty', reusable: false },
    ],
  ])('%j is read as %j', (message, reply) => {
    expect(parseExtractionReply(message)).toEqual(reply);
  });

  it.each([
    undefined,
    null,
    7,
    {},
    { type: 'page', text: 7 },
    { type: 'failed', error: 'boom' },
    { type: 'complete' },
    { type: 'complete', warnings: [null] },
    { type: 'complete', warnings: [{ code: 'damaged' }] },
    { type: 'complete', warnings: [{ code: 'boom', pages: [1] }] },
    { type: 'complete', warnings: [{ code: 'damaged', pages: ['1'] }] },
  ])('%j is malformed', (message) => {
    expect(parseExtractionReply(message)).toBeUndefined();
  });
});

describe('the messages to a process for text extraction', () => {
  it.each([
    { type: 'document', format: 'pdf' },
    { type: 'bytes', bytes: new Uint8Array([1]) },
    { type: 'end' },
  ])('%j is read', (message) => {
    expect(parseExtractionRequest(message)).toEqual(message);
  });

  it.each([undefined, {}, { type: 'document', format: 'exe' }, { type: 'bytes', bytes: 'text' }])(
    '%j is malformed',
    (message) => {
      expect(parseExtractionRequest(message)).toBeUndefined();
    },
  );
});

describe('the limits of a process for text extraction', () => {
  const limits = { memoryBytes: 1, maxPages: 2, maxCharacters: 3, maxEntries: 4, maxInflatedBytes: 5 };

  it('survive the way to the process', () => {
    expect(parseLimits(serializeLimits(limits))).toEqual(limits);
  });

  it.each(['null', '{}', '{"memoryBytes":"1"}'])('%s is refused', (json) => {
    expect(() => parseLimits(json)).toThrow(TypeError);
  });
});
