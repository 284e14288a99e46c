import { describe, expect, it } from '@jest/globals';
import { dayOf, monthOf, msUntilNextDay, msUntilNextMonth } from './periods.js';

describe('a day and a month in UTC', () => {
  it('end exactly when the next one begins', () => {
    const time = Date.UTC(2026, 11, 31, 23, 59, 59);
    expect([dayOf(time), monthOf(time)]).toEqual(['2026-12-31', '2026-12-01']);
    expect([msUntilNextDay(time), msUntilNextMonth(time)]).toEqual([1000, 1000]);
    expect([dayOf(time + 1000), monthOf(time + 1000)]).toEqual(['2027-01-01', '2027-01-01']);
    expect(msUntilNextMonth(Date.UTC(2028, 1, 1))).toBe(29 * 86_400_000);
  });
});
