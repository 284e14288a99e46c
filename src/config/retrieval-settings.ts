import { decimal, optionalDecimal, optionalText, wholeNumber } from './setting.js';

/** The settings of retrieval. */
export const RETRIEVAL_SETTINGS = {
  RAG_EMBEDDING_MODEL: optionalText({
    description:
      'Model or alias that embeds the documents of new collections; if unset, new collections are searched by words only',
  }),
  // With .4, hybrid search lost at most .005 (nDCG@10) to the better way of searching in the measurements of ADR 54.
  RAG_VECTOR_WEIGHT: decimal({
    default: 0.4,
    min: 0,
    max: 1,
    description:
      'Share of the vectors in the score of a hybrid search, from 0 for words only to 1 for vectors only',
  }),
  RAG_MIN_COSINE: optionalDecimal({
    min: -1,
    max: 1,
    defaultLabel: 'by embedding model',
    description:
      'Minimum cosine of the vectors of a question and a passage that share no content word, so that the passage counts as relevant; if unset, a minimum that suits the embedding model',
  }),
  RAG_RERANK_TIMEOUT_MS: wholeNumber({
    default: 20_000,
    min: 1,
    max: 600_000,
    description:
      'Timeout for the model that orders the passages of a search (`rerank`), in milliseconds; after that, the order is that of the search',
  }),
};
