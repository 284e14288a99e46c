import { describe, expect, it } from '@jest/globals';
import { claudeSupportsMedia, supportsSampling, thinkingModeOf } from './claude-models.js';

describe('media support of Claude models', () => {
  it.each([
    ['claude-opus-4-6', true, true],
    ['claude-sonnet-4-5-20250929', true, true],
    ['claude-3-5-haiku-20241022', true, true],
    ['claude-next', true, true],
    ['claude-3-haiku-20240307', true, false],
    ['claude-2.1', false, false],
    ['glm-5', undefined, undefined],
  ])('is derived from the name %s', (model, image, pdf) => {
    expect([claudeSupportsMedia(model, 'image'), claudeSupportsMedia(model, 'pdf')]).toEqual([image, pdf]);
  });
});

describe('a Claude model with a prefixed name', () => {
  it.each([
    ['anthropic/claude-opus-4.7', false, 'adaptive'],
    ['us.anthropic.claude-opus-4-7-v1:0', false, 'adaptive'],
    ['anthropic/claude-sonnet-4-5', true, 'budget'],
    ['my-claude', true, 'budget'],
  ])('is recognized: %s', (model, sampling, thinking) => {
    expect([supportsSampling(model), thinkingModeOf(model)]).toEqual([sampling, thinking]);
  });
});
