import type { MediaKind } from '../../port/index.js';

/** Models that support text only. */
const TEXT_ONLY =
  /^(?:gpt-3\.5|gpt-4(?:-\d{4}|-32k)?(?:-preview)?(?:$|-\d{4}$)|gpt-oss|o1-mini|o1-preview|o3-mini)/;

/** Model families that support images and PDFs. */
const SEEING = /^(?:gpt-4o|chatgpt-4o|gpt-4\.1|gpt-4\.5|gpt-[5-9]|o1|o3|o4-mini)/;

/** Members of those families with a special purpose. */
const SPECIAL = /audio|realtime|transcribe|tts|search|image/;

/**
 * Returns true if a model of OpenAI supports this kind of media, according to the family in its name; undefined
 * for unknown names. https://platform.openai.com/docs/models
 */
export function openAiModelSupportsMedia(name: string, kind: MediaKind): boolean | undefined {
  // A fine-tuned model supports what its family does: `ft:gpt-4o-mini-2024-07-18:mine::id`.
  const [model = ''] = name.replace(/^ft:/, '').split(':');
  if (TEXT_ONLY.test(model)) return false;
  if (SPECIAL.test(model)) return undefined;
  if (model.startsWith('gpt-4-turbo')) return kind === 'image' ? true : undefined;
  return SEEING.test(model) ? true : undefined;
}

/**
 * Matches OpenAI's reasoning models: o1, o3, o4-mini and their successors, and GPT-5 except its chat variants.
 */
const REASONING = /^(?:o\d+(?:-|$)|gpt-5(?!.*-chat))/;

/**
 * Returns true for a reasoning model of OpenAI, whatever precedes its name: `openai/gpt-5`, `ft:o4-mini:…`.
 * Such a model refuses any temperature but 1 ("Only the default (1) value is supported") and the older name
 * `max_tokens`. https://platform.openai.com/docs/guides/reasoning
 */
export function isReasoningModel(name: string): boolean {
  return name
    .toLowerCase()
    .split('/')
    .some((segment) => REASONING.test(segment.replace(/^ft:/, '')));
}
