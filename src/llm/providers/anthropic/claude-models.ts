import type { MediaKind } from '../../port/index.js';

/**
 * Capabilities of Claude models, derived from their names. Only old names need to be known, and their number
 * does not grow: any newer or unrecognized name is treated as a current model.
 */

/**
 * Returns the version of a Claude model as a number, 4.6 for `claude-sonnet-4-6`; infinity for a name without
 * one.
 */
function versionOf(model: string): number {
  const [, major, minor = '0'] =
    /(?:^|[./:])claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?/.exec(model) ?? [];
  return major === undefined ? Number.POSITIVE_INFINITY : Number(`${major}.${minor}`);
}

/**
 * Returns true for a Claude model. Other vendors serve their models with Anthropic's protocol too, in its state
 * before Claude 4.6. Proxies add a prefix to the name: `anthropic/claude-opus-4.7`,
 * `us.anthropic.claude-opus-4-7-v1:0`.
 */
function isClaude(model: string): boolean {
  return /(?:^|[./:])claude/.test(model);
}

/**
 * Returns true if a model accepts `temperature` and `top_p`. Claude does not since 4.7: a request that contains
 * one is refused. https://platform.claude.com/docs/en/api/versioning
 */
export function supportsSampling(model: string): boolean {
  return !isClaude(model) || versionOf(model) < 4.7;
}

/** Returns true if a model accepts only one of `temperature` and `top_p` at a time, as Claude does. */
export function supportsOneSamplingParameter(model: string): boolean {
  return isClaude(model);
}

/**
 * Returns the kind of thinking that a model supports: `adaptive` with an effort since Claude 4.6, a `budget` of
 * tokens before that. https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
 */
export function thinkingModeOf(model: string): 'adaptive' | 'budget' {
  return isClaude(model) && versionOf(model) >= 4.6 ? 'adaptive' : 'budget';
}

/** Returns true if a model supports the effort `xhigh`, which Claude 4.7 introduced. */
export function supportsExtraHighEffort(model: string): boolean {
  return versionOf(model) >= 4.7;
}

/**
 * Returns true if a model supports images, as Claude does since 3, or PDFs, as since 3.5; undefined for other
 * vendors' models. https://platform.claude.com/docs/en/build-with-claude/pdf-support
 */
export function claudeSupportsMedia(model: string, kind: MediaKind): boolean | undefined {
  return isClaude(model) ? versionOf(model) >= (kind === 'image' ? 3 : 3.5) : undefined;
}
