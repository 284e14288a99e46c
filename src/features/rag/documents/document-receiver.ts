import { Readable } from 'node:stream';
import { Injectable, Logger } from '@nestjs/common';
import { InvalidRequestError } from '../../../common/errors.js';
import { type UploadForm, validateBody } from '../../../http/index.js';
import { FileService, type NewFile, type StoredFile } from '../../files/index.js';
import { CollectionService, type OwnCollection } from '../collections/collection.service.js';
import { parseMetadata } from '../model/metadata.js';
import { AddDocumentBody } from './document.dto.js';
import {
  type AddedDocument,
  type DocumentContent,
  DocumentService,
  type ReadDocument,
} from './document.service.js';

/** Text fields of a form, all optional. */
const TEXT_FIELDS = ['file_id', 'title', 'metadata'] as const;

/** Maximum size of a text field, in bytes: metadata of 16 KB. */
const MAX_FIELD_BYTES = 16_384;

/** Maximum length of a title that is the beginning of a text, in UTF-16 units. */
const MAX_DERIVED_TITLE = 80;

/**
 * Lifetime of a file that arrives with a request, until its document refers to it. If the process is killed before that,
 * the file expires.
 */
const PROVISIONAL_FILE = [
  ['expires_after[anchor]', 'created_at'],
  ['expires_after[seconds]', '3600'],
] as const;

/** A request with the content of a document. */
export interface DocumentRequest {
  readonly userId: string;
  /** Id or name of the collection. */
  readonly collection: string;
  /** `Idempotency-Key` of the client. */
  readonly key: string | undefined;
}

/** A file that this request has stored, or that an earlier one with the same key had stored. */
interface ReceivedFile {
  readonly file: StoredFile;
  readonly replayed: boolean;
}

/** The content of a request. */
interface ReceivedContent {
  readonly content: DocumentContent;
  readonly received: ReceivedFile | undefined;
}

/** Receives the content of documents: as a form, or as JSON. */
@Injectable()
export class DocumentReceiver {
  private readonly logger = new Logger(DocumentReceiver.name);

  constructor(
    private readonly collections: CollectionService,
    private readonly documents: DocumentService,
    private readonly files: FileService,
  ) {}

  /**
   * Adds the document of a request.
   * @returns `replayed` is true if an earlier request with the same key had added it
   * @throws InvalidRequestError, NotFoundError, ReadOnlyCollectionError
   * @throws AppError as `FileService.create` and `DocumentService.addDocument` do
   */
  async addDocument(
    form: UploadForm,
    request: DocumentRequest,
  ): Promise<AddedDocument & { readonly replayed: boolean }> {
    const collection = await this.collections.resolveForUpload(request.userId, request.collection);
    const { content, received } = await this.receive(form, request, collection);
    const added = await this.keeping(request, collection, received, () =>
      this.documents.addDocument(collection, content),
    );
    const replayed = received?.replayed === true;
    // The file was not needed and is deleted: a repeated request with this key is a new one.
    if (added.isDuplicate && !replayed) await this.forgetKey(request, collection);
    return { document: added.document, isDuplicate: added.isDuplicate && !replayed, replayed };
  }

  /**
   * Replaces a document by that of a request.
   * @throws as `addDocument`
   */
  async replaceDocument(form: UploadForm, request: DocumentRequest, id: string): Promise<ReadDocument> {
    const collection = await this.collections.resolveForWriting(request.userId, request.collection);
    await this.documents.getDocument(request.userId, collection.id, id);
    const { content, received } = await this.receive(form, request, collection);
    return this.keeping(request, collection, received, () =>
      this.documents.replaceDocument(collection, id, content),
    );
  }

  private receive(
    form: UploadForm,
    request: DocumentRequest,
    collection: OwnCollection,
  ): Promise<ReceivedContent> {
    return form.isForm
      ? this.receiveForm(form, request, collection)
      : this.receiveJson(form.json, request, collection);
  }

  private async receiveForm(
    form: UploadForm,
    request: DocumentRequest,
    collection: OwnCollection,
  ): Promise<ReceivedContent> {
    const parts = {
      field: 'file',
      maxBytes: this.files.maxBytes('user_data'),
      textFields: TEXT_FIELDS,
      maxFieldBytes: MAX_FIELD_BYTES,
    };
    const { kept: received, fields } = await form.receiveOptional(parts, (file) =>
      this.store(request, collection, file),
    );
    return this.keeping(request, collection, received, async () => {
      const body = await validateBody(AddDocumentBody, toFields(fields));
      if (body.text !== undefined) throw invalid('text', 'must be sent as JSON, not in a form');
      return { content: await this.toContent(request.userId, body, received?.file), received };
    });
  }

  private async receiveJson(
    json: unknown,
    request: DocumentRequest,
    collection: OwnCollection,
  ): Promise<ReceivedContent> {
    const body = await validateBody(AddDocumentBody, json);
    const { text, title } = body;
    // Checked before the text is stored as a file.
    parseMetadata(body.metadata ?? {});
    if (text === undefined)
      return { content: await this.toContent(request.userId, body), received: undefined };
    if (body.file_id !== undefined) throw invalid('file_id', 'must not be sent together with a text');
    const titled = Object.assign(body, { title: title ?? deriveTitle(text) });
    const received = await this.store(request, collection, toTextFile(text, titled.title));
    return { content: await this.toContent(request.userId, titled, received.file), received };
  }

  /** Stores a file that arrives with a request. It expires unless a document comes to refer to it. */
  private store(
    { userId, key }: DocumentRequest,
    collection: OwnCollection,
    file: NewFile,
  ): Promise<ReceivedFile> {
    return this.files.create(
      userId,
      { ...file, fields: new Map(PROVISIONAL_FILE) },
      {
        idempotency: key === undefined ? undefined : { route: routeOf(collection), key },
      },
    );
  }

  /** @throws InvalidRequestError unless there is exactly one file */
  private async toContent(
    userId: string,
    { file_id: fileId, title, metadata = {} }: AddDocumentBody,
    uploaded?: StoredFile,
  ): Promise<DocumentContent> {
    if (uploaded !== undefined && fileId !== undefined)
      throw invalid('file_id', 'must not be sent together with a file');
    if (uploaded === undefined && fileId === undefined)
      throw invalid('file', 'is required: send a form with a file, or JSON with a file_id or a text');
    const file = uploaded ?? (await this.files.getFile(userId, fileId ?? ''));
    return { file, ownsFile: uploaded !== undefined, title, metadata: parseMetadata(metadata) };
  }

  /** Runs work with a file of the request, and deletes the file if the work fails. */
  private async keeping<Result>(
    request: DocumentRequest,
    collection: OwnCollection,
    received: ReceivedFile | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (received?.replayed === false) await this.discard(request, collection, received.file.id);
      throw error;
    }
  }

  /** Never rejects: the file is visible to its owner, who can delete it. */
  private async discard(request: DocumentRequest, collection: OwnCollection, fileId: string): Promise<void> {
    try {
      await this.files.delete(request.userId, fileId);
      await this.forgetKey(request, collection);
    } catch (error) {
      this.logger.warn({ err: error, file: fileId }, 'could not delete the file of a refused document');
    }
  }

  private async forgetKey({ userId, key }: DocumentRequest, collection: OwnCollection): Promise<void> {
    if (key !== undefined) await this.files.forgetUploadKey(userId, { route: routeOf(collection), key });
  }
}

/** Returns the name of the route, which scopes an `Idempotency-Key` together with the account. */
function routeOf({ id }: OwnCollection): string {
  return `POST /api/v1/rag/collections/${id}/documents`;
}

/** Returns the beginning of the first line of a text. */
function deriveTitle(text: string): string {
  const line = text.trim().split(/[\r\n]/, 1)[0] ?? '';
  if (line.length <= MAX_DERIVED_TITLE) return line;
  const beginning = line.slice(0, MAX_DERIVED_TITLE - 1);
  // Do not split a surrogate pair.
  return `${beginning.isWellFormed() ? beginning : beginning.slice(0, -1)}…`;
}

/** Converts a text to a file. */
function toTextFile(text: string, title: string): NewFile {
  const bytes = Buffer.from(text);
  return {
    name: `${title}.txt`,
    declaredType: 'text/plain',
    declaredSize: { min: bytes.length, max: bytes.length },
    fields: new Map(),
    bytes: Readable.from([bytes]),
  };
}

/**
 * Converts the text fields of a form to those of a JSON body.
 * @throws InvalidRequestError
 */
function toFields(fields: ReadonlyMap<string, string>): Record<string, unknown> {
  const values = new Map<string, unknown>(fields);
  const metadata = fields.get('metadata');
  if (metadata !== undefined) values.set('metadata', parseJson(metadata));
  return Object.fromEntries(values);
}

/** @throws InvalidRequestError */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('metadata', 'must be a JSON object');
  }
}

function invalid(field: string, problem: string): InvalidRequestError {
  const message = `${field} ${problem}`;
  return new InvalidRequestError(`${message}.`, [{ field, message }]);
}
