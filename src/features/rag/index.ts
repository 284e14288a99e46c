export { COLLECTION_NAME } from './collections/collection-settings.js';
export {
  COLLECTION_LIST_SCHEMA,
  IsCollectionList,
  MAX_COLLECTION_LIST,
} from './collections/is-collection-list.js';
export { VersionFileRepository } from './ingest/version-file.repository.js';
export type { CitationFilter } from './model/citations.js';
export { RagModule } from './rag.module.js';
export { NOTHING_FOUND } from './search/query.service.js';
export { type PassageBlock, PASSAGE_INSTRUCTIONS } from './search/passages-prompt.js';
export { isDemoModel, toDemoAnswer } from './search/demo-answer.js';
export { createCitationFilter } from './search/create-citation-filter.js';
export { PASSAGE_TOKENS, PassageFinder } from './search/passage-finder.js';
export { SourceBody } from './search/search-result.dto.js';
export type { ShownSource } from './search/answer-source.js';
export { parseStoredSource, type StoredSource, toStoredSource } from './search/stored-source.js';
export { citedSources, toSourceBody } from './search/source.mapper.js';
export { RagSearchModule } from './rag-search.module.js';
export { RagWorkerModule } from './rag-worker.module.js';
