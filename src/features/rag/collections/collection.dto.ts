import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsOptional, IsString, IsUUID, Length, Matches, Max, MaxLength, Min } from 'class-validator';
import { IsOptionalField, IsPlainText } from '../../../http/index.js';
import { IsCollectionName } from './is-collection-name.js';
import { CHUNK_OVERLAP_TOKENS, CHUNK_TOKENS } from '../model/chunker.js';
import { COLLECTION_NAME } from './collection-settings.js';

const MAX_DESCRIPTION = 1000;

/** The collection in a path. */
export class CollectionParams {
  @ApiProperty({
    description:
      'Id of a collection, or the name of one of yours. Collections shared with you have ids only.',
    maxLength: 64,
    pattern: COLLECTION_NAME.source,
    example: 'default',
  })
  @Matches(COLLECTION_NAME, { message: '$property must be the id or the name of a collection' })
  @IsString()
  collection!: string;
}

/** The reader of a collection in a path. */
export class CollectionShareParams extends CollectionParams {
  @ApiProperty({ description: 'Id of the account that may read the collection.', format: 'uuid' })
  @IsUUID()
  user_id!: string;
}

/** The way in which documents are indexed; omitted fields stay as they are. */
export class IndexSettingsBody {
  @ApiPropertyOptional({
    description:
      'Embedding model for vector search, as `provider/model` or a bare model name; null for lexical search only. A new collection has `RAG_EMBEDDING_MODEL` by default, or none.',
    type: String,
    nullable: true,
    maxLength: 256,
    example: null,
  })
  @IsOptional()
  @Length(1, 256)
  @IsPlainText()
  @IsString()
  embedding_model?: string | null;

  @ApiPropertyOptional({
    description: `Maximum tokens of a chunk. A new collection has ${CHUNK_TOKENS.default} by default.`,
    type: 'integer',
    minimum: CHUNK_TOKENS.min,
    maximum: CHUNK_TOKENS.max,
    example: CHUNK_TOKENS.default,
  })
  @IsOptionalField()
  @Max(CHUNK_TOKENS.max)
  @Min(CHUNK_TOKENS.min)
  @IsInt()
  chunk_tokens?: number;

  @ApiPropertyOptional({
    description: `Tokens that two neighboring chunks share, at most half of \`chunk_tokens\`. A new collection has ${CHUNK_OVERLAP_TOKENS} by default, or half of \`chunk_tokens\` if that is less.`,
    type: 'integer',
    minimum: 0,
    maximum: CHUNK_TOKENS.max / 2,
    example: CHUNK_OVERLAP_TOKENS,
  })
  @IsOptionalField()
  @Max(CHUNK_TOKENS.max / 2)
  @Min(0)
  @IsInt()
  chunk_overlap?: number;
}

/** Changes of a collection; omitted fields stay as they are. */
export class UpdateCollectionBody extends IndexSettingsBody {
  @ApiPropertyOptional({
    description:
      'New name, unique among your collections: 1 to 64 ASCII letters, digits, `.`, `_` and `-`, beginning with a letter or a digit. Must not have the form of an id.',
    pattern: COLLECTION_NAME.source,
    example: 'handbook',
  })
  @IsOptionalField()
  @IsCollectionName()
  name?: string;

  @ApiPropertyOptional({
    description: 'Description, at most 1,000 characters; null for none.',
    type: String,
    nullable: true,
    maxLength: MAX_DESCRIPTION,
    example: 'Rules and processes of the company',
  })
  @IsOptional()
  @MaxLength(MAX_DESCRIPTION)
  @IsPlainText()
  @IsString()
  description?: string | null;
}

/** A collection to be created. */
export class CreateCollectionBody extends IndexSettingsBody {
  @ApiProperty({
    description:
      'Name, unique among your collections: 1 to 64 ASCII letters, digits, `.`, `_` and `-`, beginning with a letter or a digit. Must not have the form of an id.',
    pattern: COLLECTION_NAME.source,
    example: 'handbook',
  })
  @IsCollectionName()
  name!: string;

  @ApiPropertyOptional({
    description: 'Description, at most 1,000 characters.',
    type: String,
    nullable: true,
    maxLength: MAX_DESCRIPTION,
    example: 'Rules and processes of the company',
  })
  @IsOptional()
  @MaxLength(MAX_DESCRIPTION)
  @IsPlainText()
  @IsString()
  description?: string | null;
}

/** An index that is being built. */
export class ReindexBody {
  @ApiProperty({
    description: 'Embedding model of the new index; null for lexical search only.',
    type: String,
    nullable: true,
    example: 'openai/text-embedding-3-small',
  })
  embedding_model!: string | null;

  @ApiProperty({ description: 'Maximum tokens of a chunk in the new index.', type: 'integer', example: 400 })
  chunk_tokens!: number;

  @ApiProperty({
    description: 'Tokens that two neighboring chunks of the new index share.',
    type: 'integer',
    example: 200,
  })
  chunk_overlap!: number;

  @ApiProperty({ description: 'Number of documents to be indexed.', type: 'integer', example: 12 })
  documents!: number;

  @ApiProperty({ description: 'Number of documents that are indexed.', type: 'integer', example: 5 })
  finished!: number;
}

/** A collection of documents. */
export class CollectionBody {
  @ApiProperty({ description: 'Id of the collection.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'Name of the collection.', example: 'handbook' })
  name!: string;

  @ApiProperty({
    description: 'Description of the collection; null if it has none.',
    type: String,
    nullable: true,
    example: 'Rules and processes of the company',
  })
  description!: string | null;

  @ApiProperty({
    description: 'Your rights: `owner` of a collection of yours, `reader` of one that is shared with you.',
    enum: ['owner', 'reader'],
    example: 'owner',
  })
  access!: 'owner' | 'reader';

  @ApiProperty({
    description: 'Embedding model of the index that searches use; null for lexical search only.',
    type: String,
    nullable: true,
    example: null,
  })
  embedding_model!: string | null;

  @ApiProperty({
    description: 'Maximum tokens of a chunk.',
    type: 'integer',
    example: CHUNK_TOKENS.default,
  })
  chunk_tokens!: number;

  @ApiProperty({
    description: 'Tokens that two neighboring chunks share.',
    type: 'integer',
    example: CHUNK_OVERLAP_TOKENS,
  })
  chunk_overlap!: number;

  @ApiProperty({ description: 'Number of documents, in any state.', type: 'integer', example: 12 })
  documents!: number;

  @ApiProperty({ description: 'Number of chunks that searches see.', type: 'integer', example: 340 })
  chunks!: number;

  @ApiProperty({
    description: 'The index that is being built to replace the present one; null if there is none.',
    type: ReindexBody,
    nullable: true,
    example: null,
  })
  reindex!: ReindexBody | null;

  @ApiProperty({ description: 'Time at which the collection was created.', format: 'date-time' })
  created_at!: string;

  @ApiProperty({ description: 'Time of the last change of the collection itself.', format: 'date-time' })
  updated_at!: string;
}

/** Permission of an account to read a collection. */
export class CollectionShareBody {
  @ApiProperty({ description: 'Id of the account that may read the collection.', format: 'uuid' })
  user_id!: string;

  @ApiProperty({ description: 'Time at which the collection was shared.', format: 'date-time' })
  created_at!: string;
}
