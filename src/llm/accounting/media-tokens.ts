import type { MediaKind } from '../port/index.js';

/** About what an image takes that is as large as models look at: Claude's 1,568 patches, more than OpenAI's. */
const IMAGE_TOKENS = 1600;

/** A page of a PDF is shown as an image beside its text, or is one. */
const PAGE_TOKENS = 1600;

/** Bytes of a PDF that are taken for a page, of which nobody counts the real ones. */
const BYTES_PER_PAGE = 65_536;

/** The most pages that are taken for one PDF; more than that the providers do not take. */
const MAX_PAGES = 100;

/**
 * The tokens of an image or a PDF, by an estimate that is meant to be too high rather than too low: where a provider
 * tells figures, those count.
 * @param bytes its size
 */
export function mediaTokens(kind: MediaKind, bytes: number): number {
  if (kind === 'image') return IMAGE_TOKENS;
  return Math.min(MAX_PAGES, Math.max(1, Math.ceil(bytes / BYTES_PER_PAGE))) * PAGE_TOKENS;
}
