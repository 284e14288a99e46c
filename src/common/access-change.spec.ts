import { expect, it } from '@jest/globals';
import { type AccessChange, parseAccessChange, serializeAccessChange } from './access-change.js';

it.each<AccessChange>([
  { kind: 'changed', userId: '1' },
  { kind: 'revoked', userId: '1' },
  { kind: 'revoked', apiKeyId: '2' },
])('%j is unchanged after writing and reading it', (change) => {
  expect(parseAccessChange(serializeAccessChange(change))).toEqual(change);
});

it.each(['', 'changed', 'changed user', 'changed key 1', 'other user 1', 'revoked thing 1'])(
  'a malformed message is ignored: %j',
  (text) => {
    expect(parseAccessChange(text)).toBeUndefined();
  },
);
