import { plainToInstance } from 'class-transformer';
import { describe, expect, test } from '@jest/globals';
import { PageQuery, toPage } from './page.js';

const rows = (count: number): { id: string }[] =>
  Array.from({ length: count }, (_, index) => ({ id: `id-${String(index + 1)}` }));
const idOf = ({ id }: { id: string }): string => id;

describe('a page', () => {
  test('without rows is empty', () => {
    expect(toPage([], 3, idOf)).toEqual({
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
  });

  test('that is exactly full has no more entries after it', () => {
    expect(toPage(rows(3), 3, idOf)).toEqual({
      object: 'list',
      data: ['id-1', 'id-2', 'id-3'],
      first_id: 'id-1',
      last_id: 'id-3',
      has_more: false,
    });
  });

  test('has more entries if one additional row was read, and does not contain that row', () => {
    expect(toPage(rows(4), 3, idOf)).toEqual({
      object: 'list',
      data: ['id-1', 'id-2', 'id-3'],
      first_id: 'id-1',
      last_id: 'id-3',
      has_more: true,
    });
  });

  test('requests one row more than it shows', () => {
    expect(plainToInstance(PageQuery, {}).slice()).toEqual({ limit: 21, after: undefined });
    expect(plainToInstance(PageQuery, { limit: '5', after: 'id-2' }).slice()).toEqual({
      limit: 6,
      after: 'id-2',
    });
  });
});
