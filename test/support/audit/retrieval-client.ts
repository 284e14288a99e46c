import type { ApiResponse, TestUser } from '../client.js';
import { COLLECTIONS, uploadDocument } from '../rag-documents.js';
import type { Random } from './random.js';
import type { KnownCollection } from './retrieval-model.js';
import { type AuditText, isReadable } from './retrieval-texts.js';
import type { Outcome } from './process-group.js';
import { EMBEDDERS, type RetrievalWorld } from './retrieval-world.js';

/** An account, what it knows of its documents, and its requests. */
export class RetrievalClient {
  /** All of its collections, including deleted ones. */
  readonly collections: KnownCollection[] = [];
  /** Texts of the requests whose answer was lost. */
  readonly lostSendings: AuditText[] = [];

  constructor(
    readonly name: string,
    readonly token: string,
    readonly world: RetrievalWorld,
  ) {}

  /** Collections of which no deletion was sent. */
  get live(): KnownCollection[] {
    return this.collections.filter(({ isMaybeGone }) => !isMaybeGone);
  }

  count(what: string): void {
    this.world.journal.count(what);
  }

  /** Sends a request of the account to a random process. */
  send(random: Random, method: string, path: string, body?: unknown): Promise<Outcome> {
    return this.world.processes.send(random, this.token, (user) => user.request(method, path, body));
  }

  /** Reports a response that nothing explains. */
  unexpected(subject: string, what: string, { status, body }: ApiResponse): void {
    this.world.journal.violate(subject, `${what} answered ${status} ${JSON.stringify(body)}`);
  }

  /** Sends a text as a form or as JSON: a new document, or a version of the document with this id. */
  sendText(
    random: Random,
    collection: KnownCollection,
    text: AuditText,
    { id, key }: { readonly id?: string | undefined; readonly key?: string | undefined } = {},
  ): Promise<Outcome> {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    const method = id === undefined ? 'POST' : 'PUT';
    // A key is sent with forms only, because the client for JSON has no headers.
    if (key === undefined && isReadable(text) && random.chance(0.5)) {
      const path = `${COLLECTIONS}/${collection.id}/documents${id === undefined ? '' : `/${id}`}`;
      return this.send(random, method, path, { text: text.text });
    }
    const type = isReadable(text) ? 'text/plain' : 'application/pdf';
    const name = isReadable(text) ? `${text.name}.txt` : `${text.name}.pdf`;
    const file = { name, type, bytes: text.text, method, headers, ...(id !== undefined && { id }) } as const;
    const work = (user: TestUser, url: string): Promise<ApiResponse> =>
      uploadDocument(url, user, collection.id, file);
    return this.world.processes.send(random, this.token, work);
  }
}

/** Chooses an embedding model, or none, and the chunking. */
export function indexSettings(random: Random): Record<string, unknown> {
  const chunkTokens = random.pick([100, 150, 400]);
  return {
    embedding_model: random.pick([...EMBEDDERS, ...EMBEDDERS, null]),
    chunk_tokens: chunkTokens,
    chunk_overlap: random.pick([0, 20, chunkTokens / 2]),
  };
}
