import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsString,
  Length,
  Matches,
  Max,
  Min,
} from 'class-validator';
import { IsNotBlank, IsOptionalField, IsPlainObject, IsPlainText } from '../../../http/index.js';
import { COLLECTION_NAME, DEFAULT_COLLECTION } from '../collections/collection-settings.js';
import { SEARCH_MODES, type SearchMode } from './search-request.js';

/** Maximum length of a query, in UTF-16 units. */
const MAX_QUERY = 2000;

/** Maximum number of collections of one search. */
const MAX_SEARCHED = 20;

const COLLECTION_MESSAGE = 'must be the id or the name of a collection';

/** Scope and options of a search. */
export class SearchScopeBody {
  @ApiPropertyOptional({
    description: 'Id of a collection, or the name of one of yours.',
    pattern: COLLECTION_NAME.source,
    default: DEFAULT_COLLECTION,
    example: DEFAULT_COLLECTION,
  })
  @IsOptionalField()
  @Matches(COLLECTION_NAME, { message: `$property ${COLLECTION_MESSAGE}` })
  @IsString()
  collection?: string;

  @ApiPropertyOptional({
    description: `Instead of \`collection\`: 1 to ${MAX_SEARCHED} collections to search together.`,
    type: 'array',
    items: { type: 'string', pattern: COLLECTION_NAME.source },
    minItems: 1,
    maxItems: MAX_SEARCHED,
  })
  @IsOptionalField()
  @Matches(COLLECTION_NAME, { each: true, message: `each entry of $property ${COLLECTION_MESSAGE}` })
  @IsString({ each: true })
  @ArrayMaxSize(MAX_SEARCHED)
  @ArrayMinSize(1)
  @IsArray()
  collections?: string[];

  @ApiPropertyOptional({
    description:
      'How to search: by words (`lexical`), by meaning (`vector`, only with an embedding model), or both (`hybrid`).',
    enum: SEARCH_MODES,
    default: 'hybrid',
  })
  @IsOptionalField()
  @IsIn(SEARCH_MODES)
  mode?: SearchMode;

  @ApiPropertyOptional({
    description: 'Maximum number of passages, 1 to 50.',
    type: 'integer',
    minimum: 1,
    maximum: 50,
    default: 5,
  })
  @IsOptionalField()
  @Max(50)
  @Min(1)
  @IsInt()
  top_k?: number;

  @ApiPropertyOptional({
    description:
      'Condition on the metadata of documents: values by key (`{"lang": "en"}`), comparisons (`eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`, `nin`), and `and` or `or` with a list of conditions, at most 5 levels deep.',
    type: 'object',
    additionalProperties: true,
    example: { year: { gte: 2024 }, lang: 'en' },
  })
  @IsOptionalField()
  @IsPlainObject()
  @IsObject()
  filter?: object;

  @ApiPropertyOptional({
    description:
      'Minimum cosine of passages that are found by meaning only, -1 to 1. By default that of the embedding model.',
    minimum: -1,
    maximum: 1,
  })
  @IsOptionalField()
  @Max(1)
  @Min(-1)
  @IsNumber({ allowNaN: false, allowInfinity: false }, { message: '$property must be a number' })
  min_score?: number;

  @ApiPropertyOptional({
    description:
      'Chat model that orders the passages, as `provider/model` or a bare model name. It receives the best 20 to 50 passages, and its usage is billed. If it is unavailable, the order is that of the search, with a warning.',
    maxLength: 256,
    example: 'openai/gpt-5-mini',
  })
  @IsOptionalField()
  @Length(1, 256)
  @IsPlainText()
  @IsString()
  rerank?: string;
}

/** A search for passages. */
export class SearchBody extends SearchScopeBody {
  @ApiProperty({
    description: 'Text to search for, 1 to 2,000 characters. Must not be blank.',
    minLength: 1,
    maxLength: MAX_QUERY,
    example: 'notice period',
  })
  @IsNotBlank()
  @Length(1, MAX_QUERY)
  @IsPlainText()
  @IsString()
  query!: string;

  @ApiPropertyOptional({
    description: 'Whether the response explains what each way of searching did.',
    default: false,
  })
  @IsOptionalField()
  @IsBoolean()
  explain?: boolean;
}

/** A question about documents. */
export class QueryBody extends SearchScopeBody {
  @ApiProperty({
    description: 'Question, 1 to 2,000 characters. Must not be blank.',
    minLength: 1,
    maxLength: MAX_QUERY,
    example: 'How long is the notice period?',
  })
  @IsNotBlank()
  @Length(1, MAX_QUERY)
  @IsPlainText()
  @IsString()
  question!: string;

  @ApiPropertyOptional({
    description:
      'Model that answers, as `provider/model` or a bare model name. Defaults to the server’s default model.',
    maxLength: 256,
    example: 'demo/echo',
  })
  @IsOptionalField()
  @Length(1, 256)
  @IsPlainText()
  @IsString()
  model?: string;

  @ApiPropertyOptional({
    description: 'Maximum number of tokens in the answer. Defaults to the model’s own limit.',
    type: 'integer',
    minimum: 1,
    maximum: 10_000_000,
    example: 500,
  })
  @IsOptionalField()
  @Max(10_000_000)
  @Min(1)
  @IsInt()
  max_tokens?: number;

  @ApiPropertyOptional({
    description: 'Whether the answer is streamed; otherwise the response is the finished answer as JSON.',
    default: true,
  })
  @IsOptionalField()
  @IsBoolean()
  stream?: boolean;
}
