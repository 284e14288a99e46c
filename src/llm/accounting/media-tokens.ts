import type { MediaKind } from '../port/index.js';

/**
 * Approximate tokens of an image at the maximum resolution that models process: Claude's 1,568 patches, more
 * than OpenAI's.
 */
const IMAGE_TOKENS = 1600;

/** Tokens of a PDF page, which is processed as an image besides its text. */
const PAGE_TOKENS = 1600;

/** Average bytes of a PDF page; the real pages are not counted. */
const BYTES_PER_PAGE = 65_536;

/** Maximum number of pages of one PDF; providers refuse more. */
const MAX_PAGES = 100;

/**
 * Estimates the tokens of an image or a PDF. Rather too high than too low; if a provider reports figures, those
 * count.
 * @param bytes size of the file
 */
export function estimateMediaTokens(kind: MediaKind, bytes: number): number {
  if (kind === 'image') return IMAGE_TOKENS;
  return Math.min(MAX_PAGES, Math.max(1, Math.ceil(bytes / BYTES_PER_PAGE))) * PAGE_TOKENS;
}
