import type { ChatRequest } from '../../../llm/index.js';
import { CitationFilter } from '../model/citations.js';

/**
 * Returns the filter for the text of an answer; undefined for JSON, in which brackets with numbers are no markers.
 * @param sourceCount number of sources of the answer
 */
export function createCitationFilter(
  sourceCount: number,
  { response_format: format }: Pick<ChatRequest, 'response_format'>,
): CitationFilter | undefined {
  const isJson = format?.type === 'json_object' || format?.type === 'json_schema';
  return isJson ? undefined : new CitationFilter(sourceCount);
}
