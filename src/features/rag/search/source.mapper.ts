import { CitationFilter } from '../model/citations.js';
import type { ShownSource } from './answer-source.js';
import type { SourceBody } from './search-result.dto.js';

/** Converts a source of an answer to its API representation. */
export function toSourceBody({ index, hit }: ShownSource): SourceBody {
  const { documentId, collectionId, title, page, start, end, rows, text, score } = hit;
  return {
    index,
    document_id: documentId,
    collection_id: collectionId,
    title,
    page,
    start,
    end,
    rows,
    snippet: text,
    score,
  };
}

/** Returns the sources that a text cites, in the order of their numbers. */
export function citedSources<Source extends ShownSource>(text: string, sources: readonly Source[]): Source[] {
  const filter = new CitationFilter(sources.length);
  filter.push(text);
  filter.end();
  return sources.filter(({ index }) => filter.cited.includes(index));
}
