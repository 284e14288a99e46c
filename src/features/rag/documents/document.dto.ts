import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, IsUUID, Length, MaxLength } from 'class-validator';
import {
  IsNotBlank,
  IsOptionalField,
  IsPlainObject,
  IsPlainText,
  PageQuery,
  type SchemaObject,
} from '../../../http/index.js';
import { CollectionParams } from '../collections/collection.dto.js';
import { DOCUMENT_STATUSES, type DocumentStatus, type IngestionStage } from '../ingest/ingestion.js';

const MAX_TITLE = 300;
const MAX_TEXT = 500_000;

const TITLE_MEANING =
  'Title shown with the passages of the document, 1 to 300 characters. By default the name of the file, or the beginning of the text.';
const METADATA_MEANING =
  'Metadata by which searches can filter: an object whose values are strings, numbers, booleans and lists of strings, at most 16 KB as JSON.';
const METADATA_EXAMPLE = { year: 2026, lang: 'en' };

/** A document in a path. */
export class DocumentParams extends CollectionParams {
  @ApiProperty({ description: 'Id of the document.', format: 'uuid' })
  @IsUUID()
  id!: string;
}

/** Filters for a list of documents. */
export class DocumentsQuery extends PageQuery {
  @ApiPropertyOptional({ description: 'Only documents in this state.', enum: DOCUMENT_STATUSES })
  @IsOptional()
  @IsIn(DOCUMENT_STATUSES)
  status?: DocumentStatus;
}

/** A document to be added, or the new version of one. */
export class AddDocumentBody {
  @ApiPropertyOptional({
    description:
      'Id of one of your files. Required unless there is a `text`, or the request is a form with a `file`.',
    format: 'uuid',
  })
  @IsOptionalField()
  @IsUUID()
  file_id?: string;

  @ApiPropertyOptional({
    description:
      'Text of the document, 1 to 500,000 characters, instead of a file. Must not be blank. Not in a form.',
    minLength: 1,
    maxLength: MAX_TEXT,
    example: 'The notice period is three months to the end of a quarter.',
  })
  @IsOptionalField()
  @IsNotBlank()
  @Length(1, MAX_TEXT)
  @IsPlainText()
  @IsString()
  text?: string;

  @ApiPropertyOptional({
    description: TITLE_MEANING,
    minLength: 1,
    maxLength: MAX_TITLE,
    example: 'Employee handbook',
  })
  @IsOptionalField()
  @IsNotBlank()
  @MaxLength(MAX_TITLE)
  @IsPlainText()
  @IsString()
  title?: string;

  @ApiPropertyOptional({
    description: METADATA_MEANING,
    type: 'object',
    additionalProperties: true,
    example: METADATA_EXAMPLE,
  })
  @IsOptionalField()
  @IsPlainObject()
  metadata?: object;
}

/** Schema of the form: a file and the fields of the JSON body. */
export const DOCUMENT_FORM = {
  type: 'object',
  properties: {
    file: {
      type: 'string',
      format: 'binary',
      description:
        'File to upload: PDF, DOCX, HTML, Markdown, plain text, CSV or JSON, at most `MAX_UPLOAD_MB` megabytes (32 by default).',
    },
    file_id: {
      type: 'string',
      format: 'uuid',
      description: 'Instead of `file`: id of one of your files.',
    },
    title: { type: 'string', minLength: 1, maxLength: MAX_TITLE, description: TITLE_MEANING },
    metadata: {
      type: 'object',
      additionalProperties: true,
      description: `${METADATA_MEANING} Sent as JSON.`,
      example: METADATA_EXAMPLE,
    },
  },
} satisfies SchemaObject;

/** A problem of a part of a document, whose other parts are searched nevertheless. */
export class DocumentWarningBody {
  @ApiProperty({
    description:
      'Code of the problem: `no_text_layer` and `damaged` name pages without text, `embedding_truncated` chunks whose end the embedding model did not get.',
    example: 'no_text_layer',
  })
  code!: string;

  @ApiPropertyOptional({
    description: 'Pages with the problem, from 1.',
    type: 'array',
    items: { type: 'integer' },
    example: [3],
  })
  pages?: number[];

  @ApiPropertyOptional({
    description: 'Chunks with the problem, from 0.',
    type: 'array',
    items: { type: 'integer' },
  })
  chunks?: number[];
}

/** The reason for which a document could not be indexed. */
export class DocumentErrorBody {
  @ApiProperty({ description: 'Code of the failure.', example: 'encrypted' })
  code!: string;

  @ApiProperty({
    description: 'The reason, and what to do about it.',
    example: 'The document is protected by a password.',
  })
  message!: string;
}

/** A document of a collection. */
export class DocumentBody {
  @ApiProperty({ description: 'Id of the document.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'Id of its collection.', format: 'uuid' })
  collection_id!: string;

  @ApiProperty({ description: 'Title of the document.', example: 'Employee handbook' })
  title!: string;

  @ApiProperty({
    description:
      'State of the newest version: waiting, being indexed, searchable, not indexable, or cancelled. While a document is replaced, searches see the version before it.',
    enum: DOCUMENT_STATUSES,
    example: 'processing',
  })
  status!: DocumentStatus;

  @ApiProperty({
    description: 'Step of the work on the document.',
    enum: ['extracting', 'chunking', 'embedding'],
    example: 'chunking',
  })
  stage!: IngestionStage;

  @ApiProperty({
    description:
      'Progress of the work, 0 to 1. Starts again when the document is replaced, and, unless it is `ready`, when a new index of the collection becomes active.',
    example: 0.4,
  })
  progress!: number;

  @ApiProperty({
    description: 'Number of pages; null until the text is extracted.',
    type: 'integer',
    nullable: true,
    example: 300,
  })
  pages!: number | null;

  @ApiProperty({ description: 'Number of chunks so far.', type: 'integer', example: 412 })
  chunks!: number;

  @ApiProperty({ description: 'Problems of parts of the document.', type: [DocumentWarningBody] })
  warnings!: DocumentWarningBody[];

  @ApiProperty({
    description: 'Reason of the failure; null unless `status` is `failed`.',
    type: DocumentErrorBody,
    nullable: true,
    example: null,
  })
  error!: DocumentErrorBody | null;

  @ApiProperty({
    description: 'Metadata by which searches can filter.',
    type: 'object',
    additionalProperties: true,
    example: METADATA_EXAMPLE,
  })
  metadata!: object;

  @ApiProperty({
    description:
      'File of the document, whose text is at `/api/v1/files/{id}/text`; null if the collection is shared with you.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  file_id!: string | null;

  @ApiProperty({ description: 'Time at which the document was added.', format: 'date-time' })
  created_at!: string;

  @ApiProperty({
    description: 'Time of the last change of the document: of its content, its title or its metadata.',
    format: 'date-time',
  })
  updated_at!: string;

  @ApiProperty({
    description:
      'Time at which a process last worked on the document; at most 15 seconds ago while one does.',
    format: 'date-time',
  })
  heartbeat_at!: string;
}

/** A document of a collection that has its bytes already. */
export class DuplicateDocumentBody extends DocumentBody {
  @ApiPropertyOptional({
    description: 'Id of the document that has these bytes already. Present only if nothing was added.',
    format: 'uuid',
  })
  duplicate_of?: string;
}
