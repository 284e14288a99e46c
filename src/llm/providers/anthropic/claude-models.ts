import type { MediaKind } from '../../port/index.js';

/**
 * What the names of Claude models tell about what they take. Only old names have to be known here, and no more of them
 * will come: whatever is newer, or has a name that is not understood, is taken for a current model.
 */

/** Version of a Claude model as a number, 4.6 for `claude-sonnet-4-6`, and infinite for a name without one. */
function versionOf(model: string): number {
  const [, major, minor = '0'] =
    /(?:^|[./:])claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?/.exec(model) ?? [];
  return major === undefined ? Number.POSITIVE_INFINITY : Number(`${major}.${minor}`);
}

/**
 * Other vendors serve their models over Anthropic's wire too; those speak it as it was before Claude 4.6. Proxies put
 * something before the name: `anthropic/claude-opus-4.7`, `us.anthropic.claude-opus-4-7-v1:0`.
 */
function isClaude(model: string): boolean {
  return /(?:^|[./:])claude/.test(model);
}

/**
 * Whether a model takes `temperature` and `top_p`. Claude does not from 4.7 on: a request that sends one is refused.
 * https://platform.claude.com/docs/en/api/versioning
 */
export function takesSampling(model: string): boolean {
  return !isClaude(model) || versionOf(model) < 4.7;
}

/** Whether a model takes only one of `temperature` and `top_p` at a time, as Claude does. */
export function takesOneSampling(model: string): boolean {
  return isClaude(model);
}

/**
 * How a model is told to think: `adaptive` with an effort from Claude 4.6 on, a `budget` of tokens before it.
 * https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
 */
export function thinkingOf(model: string): 'adaptive' | 'budget' {
  return isClaude(model) && versionOf(model) >= 4.6 ? 'adaptive' : 'budget';
}

/** Whether a model knows the effort `xhigh`, which came with Claude 4.7. */
export function knowsExtraHighEffort(model: string): boolean {
  return versionOf(model) >= 4.7;
}

/**
 * Whether a model takes images, as Claude does from 3 on, or PDFs, as from 3.5 on; undefined for other vendors' models.
 * https://platform.claude.com/docs/en/build-with-claude/pdf-support
 */
export function readsMedia(model: string, kind: MediaKind): boolean | undefined {
  return isClaude(model) ? versionOf(model) >= (kind === 'image' ? 3 : 3.5) : undefined;
}
