// Real components: the built server as processes killed with SIGKILL, PostgreSQL, text extraction, a folder of files, a
// provider of embeddings and, if available, Redis.
import { describeAudit } from '../support/audit/audit-runs.js';
import { runRetrievalStorm } from '../support/audit/retrieval-storm.js';

/*
 * Several accounts randomly upload, replace and delete documents, their files and collections, reindex, cancel and retry,
 * search and ask, while processes are killed and the provider fails. Then the stored data is compared with what was sent.
 * Each paragraph has a unique word, so that a passage shows which version of which document it is of. A seed reproduces
 * every decision, but not the timing of the machine.
 */

describeAudit(
  'the documents that are stored and found after a storm are those that were sent',
  runRetrievalStorm,
);
