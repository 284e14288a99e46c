import { parseStoredSource, type ShownSource, type StoredSource } from '../../rag/index.js';

/** The collections that an answer is based on. */
export interface TurnRetrieval {
  readonly collectionIds: readonly string[];
  /** Text that passages are searched for. */
  readonly question: string;
}

/** Collections and sources of an answer, as stored in its row. */
export interface StoredRetrieval {
  readonly collectionIds: readonly string[];
  readonly sources: readonly StoredSource[];
}

/** Sources of an answer as they are shown. */
export type AnswerSources = readonly ShownSource[];

/** Reads the collections and sources of an answer from their column; whatever else it holds counts as nothing. */
export function toStoredRetrieval(value: unknown): StoredRetrieval | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('collectionIds' in value) || !Array.isArray(value.collectionIds)) return undefined;
  const collectionIds = value.collectionIds.filter((id): id is string => typeof id === 'string');
  const listed: unknown[] = 'sources' in value && Array.isArray(value.sources) ? value.sources : [];
  return { collectionIds, sources: listed.flatMap((source) => parseStoredSource(source) ?? []) };
}
