import { expect, it } from '@jest/globals';
import { type AccessChange, readAccessChange, writeAccessChange } from './access-change.js';

it.each<AccessChange>([
  { kind: 'changed', userId: '1' },
  { kind: 'revoked', userId: '1' },
  { kind: 'revoked', apiKeyId: '2' },
])('%j is read as it was written', (change) => {
  expect(readAccessChange(writeAccessChange(change))).toEqual(change);
});

it.each(['', 'changed', 'changed user', 'changed key 1', 'other user 1', 'revoked thing 1'])(
  'a foreign message counts for nothing: %j',
  (text) => {
    expect(readAccessChange(text)).toBeUndefined();
  },
);
