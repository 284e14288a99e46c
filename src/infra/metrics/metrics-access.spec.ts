import { describe, expect, test } from '@jest/globals';
import { decideMetricsAccess } from './metrics-access.js';

const token = 'Zq7vX2rTz9mYw4BnJd1hGs8aPf6cLe3u';

describe('access to the metrics', () => {
  test.each([
    [`Bearer ${token}`, 'granted'],
    [`bearer  ${token}`, 'granted'],
    [undefined, 'refused'],
    ['', 'refused'],
    ['Bearer', 'refused'],
    [token, 'refused'],
    [`Basic ${token}`, 'refused'],
    [`Bearer ${token}x`, 'refused'],
    [`Bearer ${token.slice(0, -1)}`, 'refused'],
    [`Bearer ${token.toLowerCase()}`, 'refused'],
    [`Bearer ${token} ${token}`, 'refused'],
  ])('with a token, the header %j is %s', (header, access) => {
    for (const isOpen of [true, false]) expect(decideMetricsAccess({ token, isOpen }, header)).toBe(access);
  });

  test('without a token is open or disabled, whatever is sent', () => {
    for (const header of [undefined, `Bearer ${token}`]) {
      expect(decideMetricsAccess({ token: undefined, isOpen: true }, header)).toBe('granted');
      expect(decideMetricsAccess({ token: undefined, isOpen: false }, header)).toBe('disabled');
    }
  });
});
