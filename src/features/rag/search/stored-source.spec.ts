import { describe, expect, it } from '@jest/globals';
import { answerSource } from '../../../../test/support/rag-documents.js';
import { parseStoredSource, toStoredSource } from './stored-source.js';

describe('a stored source', () => {
  it.each([
    ['a page', { page: 3 }],
    ['rows', { page: null, rows: { first: 1, last: 9 } }],
  ])('is read as it was stored, with %s, and has neither title nor text', (_what, place) => {
    const stored = toStoredSource(answerSource(2, { title: 'Secret', text: 'Secret.', ...place }));
    expect(JSON.stringify(stored)).not.toContain('Secret');
    expect(parseStoredSource(JSON.parse(JSON.stringify(stored)))).toEqual(stored);
  });

  it('is ignored if a field is missing or has another type', () => {
    const stored = toStoredSource(answerSource(1, {}));
    for (const name of [
      'index',
      'documentId',
      'collectionId',
      'ingestionId',
      'ordinal',
      'start',
      'end',
      'score',
    ])
      for (const value of [undefined, null, {}])
        expect({ name, parsed: parseStoredSource({ ...stored, [name]: value }) }).toEqual({ name });
    for (const value of [null, 'text', 1]) expect(parseStoredSource(value)).toBeUndefined();
    expect(parseStoredSource({ ...stored, rows: { first: 1 } })).toMatchObject({ rows: null });
    expect(parseStoredSource({ ...stored, rows: { first: 'a', last: 2 } })).toMatchObject({ rows: null });
  });
});
