import { type AuditText, isReadable } from './retrieval-texts.js';

/** A version of a document that a client has sent. */
export interface SentVersion {
  readonly text: AuditText;
  /** `lost`: the server may or may not have it, because its answer never came. */
  state: 'sent' | 'accepted' | 'lost';
  /** Time from which no request may show it: a later version was ready, or its file was deleted. */
  goneAt: number;
}

/** The existence of something that its owner deletes. */
export interface Existence {
  /** Time at which a deletion was answered: no later request may show it. */
  goneAt: number;
  /** True once a deletion was sent, however it was answered. */
  isMaybeGone: boolean;
  /** Number of requests that may have interrupted its work. */
  changes: number;
}

/** A document as its owner knows it. */
export interface KnownDocument extends Existence {
  readonly id: string;
  readonly collection: KnownCollection;
  /** In the order in which they were sent; one that was refused is not among them. */
  readonly versions: SentVersion[];
  /** Index of a version that is known to have been ready: it or a later one stays visible. */
  ready: number;
  /** The last progress that was seen of the latest version. */
  progress: number;
  /** True if the latest version was ready when it was last seen. */
  isReady: boolean;
  /** Number of times that its progress began again, each in a new index that replaced the former one. */
  restarts: number;
  /** True once a cancellation of the latest version was sent. */
  isCancelled: boolean;
  /** True while a client changes it. Others wait for their turn, so that the order of versions is known. */
  isBusy: boolean;
}

/** A collection as its owner knows it. */
export interface KnownCollection extends Existence {
  readonly id: string;
  readonly documents: KnownDocument[];
  /** Uploads that were sent and not answered, with the number of requests that are underway. */
  readonly underway: Map<AuditText, number>;
  /** Uploads whose answer was lost, so that a document may exist whose id nobody knows. */
  readonly lost: Set<AuditText>;
  /** Number of new indexes that were requested, without those that were refused. */
  reindexes: number;
  /** Number of those whose request was answered. */
  acceptedReindexes: number;
}

/** Returns a state of which no deletion is known. */
export function newExistence(): Existence {
  return { goneAt: Infinity, isMaybeGone: false, changes: 0 };
}

/** Returns a collection without documents. */
export function newCollection(id: string): KnownCollection {
  return {
    ...newExistence(),
    id,
    documents: [],
    underway: new Map(),
    lost: new Set(),
    reindexes: 0,
    acceptedReindexes: 0,
  };
}

/** Adds a document whose id a response has shown, or returns it if it is known already. */
export function learnDocument(collection: KnownCollection, id: string, text: AuditText): KnownDocument {
  const known = collection.documents.find((document) => document.id === id);
  if (known !== undefined) return known;
  const document: KnownDocument = {
    ...newExistence(),
    id,
    collection,
    versions: [{ text, state: 'accepted', goneAt: Infinity }],
    ready: -1,
    progress: 0,
    isReady: false,
    // Of the indexes that were accepted before, at most one is still being built.
    restarts: Math.max(0, collection.acceptedReindexes - 1),
    isCancelled: false,
    isBusy: false,
  };
  collection.documents.push(document);
  return document;
}

/** Returns the index of the latest version that the server has accepted. */
export function latestAccepted({ versions }: KnownDocument): number {
  return versions.findLastIndex(({ state }) => state === 'accepted');
}

/** Returns true if the document or its collection may have been deleted. */
export function isMaybeGone(document: KnownDocument): boolean {
  return document.isMaybeGone || document.collection.isMaybeGone;
}

/** Returns true if no passage may show a text of a document to a request that began at this time. */
export function isGone(document: KnownDocument, text: AuditText, at: number): boolean {
  // The same text may have been sent twice: then one of the versions may be shown.
  const versions = document.versions.filter((version) => version.text === text);
  const gone = Math.min(document.goneAt, document.collection.goneAt);
  return gone < at || versions.every(({ goneAt }) => goneAt < at);
}

/** Marks a document as ready with its latest accepted version, which replaces those before it. */
export function markReady(document: KnownDocument): void {
  const index = latestAccepted(document);
  document.ready = index;
  for (const version of document.versions.slice(0, index))
    version.goneAt = Math.min(version.goneAt, performance.now());
}

/** Returns the versions of which the latest one that the server has is one. */
export function possiblyLatest(document: KnownDocument): readonly SentVersion[] {
  return document.versions.slice(latestAccepted(document));
}

/** Returns the versions that may be shown while the latest one is not ready, which must be one if any was ready. */
export function possiblyShown(document: KnownDocument): readonly SentVersion[] {
  return document.versions.slice(Math.max(0, document.ready)).filter(({ text }) => isReadable(text));
}
