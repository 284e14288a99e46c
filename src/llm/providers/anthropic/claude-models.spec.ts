import { describe, expect, it } from '@jest/globals';
import { readsMedia } from './claude-models.js';

describe('what Claude models read', () => {
  it.each([
    ['claude-opus-4-6', true, true],
    ['claude-sonnet-4-5-20250929', true, true],
    ['claude-3-5-haiku-20241022', true, true],
    ['claude-next', true, true],
    ['claude-3-haiku-20240307', true, false],
    ['claude-2.1', false, false],
    ['glm-5', undefined, undefined],
  ])('%s', (model, image, pdf) => {
    expect([readsMedia(model, 'image'), readsMedia(model, 'pdf')]).toEqual([image, pdf]);
  });
});
