import type { AnswerSource } from '../../src/features/rag/search/answer-source.js';
import { type ApiResponse, at, collect, type StreamEvent, streamEvents, type TestUser } from './client.js';
import { formOf, type TestFile } from './files.js';

/** Path of the collections. */
export const COLLECTIONS = '/api/v1/rag/collections';

/** A document that a test uploads in a form. */
export interface UploadedDocument extends TestFile {
  /** Text fields of the form. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** PUT replaces the document whose id is the last part of the path. */
  readonly method?: 'POST' | 'PUT';
  /** Appended to the path of the collection's documents. */
  readonly id?: string;
}

/** Sends a document in a form, its text fields after the file. */
export async function uploadDocument(
  url: string,
  { token }: TestUser,
  collection: string,
  { fields = {}, headers = {}, method = 'POST', id, ...file }: UploadedDocument,
): Promise<ApiResponse> {
  const form = formOf(file);
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  const path = `${COLLECTIONS}/${collection}/documents${id === undefined ? '' : `/${id}`}`;
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    body: form,
  });
  const body: unknown = await response.json();
  return { status: response.status, headers: response.headers, body };
}

/** Follows a document until its indexing has ended; returns its states. */
export async function followDocument(
  url: string,
  { token }: TestUser,
  collection: string,
  id: string,
): Promise<unknown[]> {
  const events: AsyncGenerator<StreamEvent> = streamEvents(
    `${url}${COLLECTIONS}/${collection}/documents/${id}/events`,
    { headers: { authorization: `Bearer ${token}` } },
  );
  const states = await collect(events);
  if (states.pop() !== '[DONE]') throw new Error('The events of a document have no end.');
  return states;
}

/** Adds a text to a collection and waits until it is searchable; returns its id. */
export async function addText(
  url: string,
  user: TestUser,
  collection: string,
  text: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const added = await user.request('POST', `${COLLECTIONS}/${collection}/documents`, { text, ...options });
  if (added.status !== 202)
    throw new Error(`A text was answered ${added.status}: ${JSON.stringify(added.body)}`);
  const id = String(at(added.body, 'id'));
  const last = (await followDocument(url, user, collection, id)).at(-1);
  if (at(last, 'status') !== 'ready') throw new Error(`A text is not ready: ${JSON.stringify(last)}`);
  return id;
}

/** Returns a source of an answer with some fields of its passage. */
export function answerSource(index: number, hit: Partial<AnswerSource['hit']>): AnswerSource {
  return {
    index,
    hit: {
      documentId: '0199a3f0-0000-7000-8000-000000000001',
      collectionId: '0199a3f0-0000-7000-8000-000000000002',
      ingestionId: '0199a3f0-0000-7000-8000-000000000003',
      ordinal: index - 1,
      title: 'Title',
      page: null,
      start: 0,
      end: 4,
      prefix: '',
      text: 'Text',
      rows: null,
      score: 1 / index,
      scores: { lexical: 1, vector: null, fused: null },
      ranks: { lexical: index, vector: null },
      ...hit,
    },
  };
}
