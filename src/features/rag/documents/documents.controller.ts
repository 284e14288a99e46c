import { Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiExtraModels,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import type { Response } from 'express';
import {
  ApiErrors,
  ApiIdempotencyKey,
  ApiPage,
  FileForm,
  FormRoute,
  IdempotencyKey,
  markReplayed,
  type Page,
  type RequestExamples,
  Scope,
  sendEventStream,
  toPage,
  UploadForm,
  UserId,
} from '../../../http/index.js';
import { CollectionParams } from '../collections/collection.dto.js';
import {
  AddDocumentBody,
  DOCUMENT_FORM,
  DocumentBody,
  DocumentParams,
  DocumentsQuery,
  DuplicateDocumentBody,
} from './document.dto.js';
import { DocumentEvents } from './document-events.js';
import { toAddedDocumentBody, toDocumentBody } from './document.mapper.js';
import { DocumentReceiver } from './document-receiver.js';
import { DocumentService } from './document.service.js';

const DOCUMENT_REQUESTS = {
  text: {
    summary: 'A text',
    value: { title: 'Travel', text: 'Train journeys are booked in second class.', metadata: { year: 2026 } },
  },
  file: { summary: 'One of your files', value: { file_id: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11' } },
} satisfies RequestExamples;

/** Documents a body that is a form or JSON. */
const REQUEST_BODY = {
  required: true,
  content: {
    'multipart/form-data': { schema: DOCUMENT_FORM },
    'application/json': { schema: { $ref: getSchemaPath(AddDocumentBody) }, examples: DOCUMENT_REQUESTS },
  },
};

const EVENTS_EXAMPLE = `data: {"id":"0199…","title":"report.pdf","status":"processing","stage":"chunking","progress":0.4}

data: {"id":"0199…","title":"report.pdf","status":"ready","stage":"embedding","progress":1}

data: [DONE]
`;

@Scope('rag')
@ApiTags('retrieval')
@Controller('api/v1/rag/collections/:collection/documents')
export class DocumentsController {
  constructor(
    private readonly documents: DocumentService,
    private readonly receiver: DocumentReceiver,
    private readonly changes: DocumentEvents,
  ) {}

  @Post()
  @HttpCode(202)
  @FormRoute('or_json')
  @ApiOperation({
    summary: 'Add a document',
    description:
      'A form with a part named `file` and text fields before or after it, or JSON with a `file_id` or a `text`. The response comes at once; the document is searchable when its `status` is `ready`: poll it, or follow `…/documents/{id}/events`. If the collection has these bytes already, nothing is added, and the response is that document with `duplicate_of`. The collection `default` is created if it does not exist.',
    requestBody: REQUEST_BODY,
  })
  @ApiExtraModels(AddDocumentBody)
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ type: DocumentBody, description: 'The document, which is being indexed.' })
  @ApiOkResponse({
    type: DuplicateDocumentBody,
    description: 'The document of the collection that has these bytes already.',
  })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'forbidden',
    'not_found',
    'idempotency_key_reused',
    'limit_reached',
    'payload_too_large',
    'storage_quota_exceeded',
    'unsupported_media_type',
  )
  async add(
    @UserId() userId: string,
    @Param() { collection }: CollectionParams,
    @IdempotencyKey() key: string | undefined,
    @FileForm() form: UploadForm,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DuplicateDocumentBody> {
    const added = await this.receiver.addDocument(form, { userId, collection, key });
    markReplayed(response, added);
    if (added.isDuplicate) response.status(200);
    return toAddedDocumentBody(added);
  }

  @Get()
  @ApiOperation({ summary: 'List documents, newest first' })
  @ApiPage(DocumentBody)
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async list(
    @UserId() userId: string,
    @Param() { collection }: CollectionParams,
    @Query() query: DocumentsQuery,
  ): Promise<Page<DocumentBody>> {
    const slice = { ...query.slice(), status: query.status };
    return toPage(await this.documents.listDocuments(userId, collection, slice), query.limit, toDocumentBody);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a document' })
  @ApiOkResponse({ type: DocumentBody, description: 'The document in its current state.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { collection, id }: DocumentParams): Promise<DocumentBody> {
    return toDocumentBody(await this.documents.getDocument(userId, collection, id));
  }

  @Put(':id')
  @HttpCode(202)
  @FormRoute('or_json')
  @ApiOperation({
    summary: 'Replace a document',
    description:
      'Takes the same bodies as adding a document. Searches see all of the present version until the new one is indexed, and then all of the new one. Of several replacements the latest wins. If the new version fails, the present one stays.',
    requestBody: REQUEST_BODY,
  })
  @ApiExtraModels(AddDocumentBody)
  @ApiAcceptedResponse({
    type: DocumentBody,
    description: 'The document, whose new version is being indexed.',
  })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'forbidden',
    'not_found',
    'limit_reached',
    'payload_too_large',
    'storage_quota_exceeded',
    'unsupported_media_type',
  )
  async replace(
    @UserId() userId: string,
    @Param() { collection, id }: DocumentParams,
    @FileForm() form: UploadForm,
  ): Promise<DocumentBody> {
    return toDocumentBody(
      await this.receiver.replaceDocument(form, { userId, collection, key: undefined }, id),
    );
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete a document',
    description:
      'Deletes the document in any state with all that was derived from it, and its file if it was uploaded with the document.',
  })
  @ApiNoContentResponse({ description: 'The document was deleted.' })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found')
  delete(@UserId() userId: string, @Param() { collection, id }: DocumentParams): Promise<void> {
    return this.documents.deleteDocument(userId, collection, id);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Cancel the indexing of a document',
    description: 'A document whose indexing has ended stays unchanged.',
  })
  @ApiOkResponse({ type: DocumentBody, description: 'The document in its current state.' })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found')
  async cancel(@UserId() userId: string, @Param() { collection, id }: DocumentParams): Promise<DocumentBody> {
    return toDocumentBody(await this.documents.cancelDocument(userId, collection, id));
  }

  @Post(':id/retry')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Retry the indexing of a document',
    description:
      'Continues the indexing of a document that failed or was cancelled where it ended. Any other document stays unchanged.',
  })
  @ApiOkResponse({ type: DocumentBody, description: 'The document in its current state.' })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found')
  async retry(@UserId() userId: string, @Param() { collection, id }: DocumentParams): Promise<DocumentBody> {
    return toDocumentBody(await this.documents.retryDocument(userId, collection, id));
  }

  @Get(':id/events')
  @ApiOperation({
    summary: 'Follow the indexing of a document',
    description:
      'Server-Sent Events: the document in its current state, then after each change, until its indexing has ended, followed by `[DONE]`. Lines that begin with a colon are pings.',
  })
  @ApiOkResponse({
    description: 'The states of the document.',
    content: { 'text/event-stream': { schema: { type: 'string' }, example: EVENTS_EXAMPLE } },
  })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async events(
    @UserId() userId: string,
    @Param() { collection, id }: DocumentParams,
    @Res() response: Response,
  ): Promise<void> {
    await sendEventStream(response, {
      begin: 'first_event',
      headers: {},
      events: (signal) => this.changes.follow({ userId, collection, id }, signal),
    });
  }
}
