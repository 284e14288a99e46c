import type { MediaKind } from '../../port/index.js';

/** Models that take text alone. */
const TEXT_ONLY =
  /^(?:gpt-3\.5|gpt-4(?:-\d{4}|-32k)?(?:-preview)?(?:$|-\d{4}$)|gpt-oss|o1-mini|o1-preview|o3-mini)/;

/** Families that look at images, and at the pages of PDFs. */
const SEEING = /^(?:gpt-4o|chatgpt-4o|gpt-4\.1|gpt-4\.5|gpt-[5-9]|o1|o3|o4-mini)/;

/** Members of those families that are made for something else. */
const SPECIAL = /audio|realtime|transcribe|tts|search|image/;

/**
 * Whether a model of OpenAI's takes images or PDFs, by the family that its name tells; undefined for names that are not
 * known. https://platform.openai.com/docs/models
 */
export function readsMedia(name: string, kind: MediaKind): boolean | undefined {
  // A tuned model takes what its family does: `ft:gpt-4o-mini-2024-07-18:mine::id`.
  const [model = ''] = name.replace(/^ft:/, '').split(':');
  if (TEXT_ONLY.test(model)) return false;
  if (SPECIAL.test(model)) return undefined;
  if (model.startsWith('gpt-4-turbo')) return kind === 'image' ? true : undefined;
  return SEEING.test(model) ? true : undefined;
}

/** OpenAI's reasoning models: o1, o3, o4-mini and what follows them, and GPT-5 but for its chat variants. */
const REASONING = /^(?:o\d+(?:-|$)|gpt-5(?!.*-chat))/;

/**
 * Returns true for a reasoning model of OpenAI's, whatever comes before its name: `openai/gpt-5`, `ft:o4-mini:…`. Such a
 * model refuses any temperature but 1 ("Only the default (1) value is supported") and the older name `max_tokens`.
 * https://platform.openai.com/docs/guides/reasoning
 */
export function isReasoningModel(name: string): boolean {
  return name
    .toLowerCase()
    .split('/')
    .some((segment) => REASONING.test(segment.replace(/^ft:/, '')));
}
