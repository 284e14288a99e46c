/** Pages of an attached document that were not sent to the model, or only in part, because they did not fit. */
export interface OmittedPages {
  readonly fileId: string;
  readonly name: string;
  /** In ascending order, counted from 1. */
  readonly pages: readonly number[];
}

/** Reads omitted pages from their column; whatever else it holds counts as none. */
export function toOmittedPages(value: unknown): readonly OmittedPages[] | undefined {
  return Array.isArray(value) ? value.filter(isOmittedPages) : undefined;
}

function isOmittedPages(value: unknown): value is OmittedPages {
  return (
    typeof value === 'object' &&
    value !== null &&
    'fileId' in value &&
    typeof value.fileId === 'string' &&
    'name' in value &&
    typeof value.name === 'string' &&
    'pages' in value &&
    Array.isArray(value.pages) &&
    value.pages.every((page) => Number.isInteger(page))
  );
}
