import { type ExtractionWarning, PAGE_WARNINGS } from '../extraction/extracted-text.js';

/** Reads the warnings of a stored text. Skips those that this version does not know. */
export function parseWarnings(stored: unknown): ExtractionWarning[] {
  if (!Array.isArray(stored)) return [];
  return stored.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || !('code' in entry) || !('pages' in entry)) return [];
    const code = PAGE_WARNINGS.find((known) => known === entry.code);
    if (code === undefined || !Array.isArray(entry.pages)) return [];
    return [{ code, pages: entry.pages.filter((page: unknown) => typeof page === 'number') }];
  });
}
