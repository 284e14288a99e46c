import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
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
  IsUUID,
  Length,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { IsFileIds, MAX_FILES } from '../attachments/is-file-ids.js';
import { IsNotBlank, IsOptionalField, IsPlainText } from '../../../http/index.js';
import { COLLECTION_LIST_SCHEMA, IsCollectionList } from '../../rag/index.js';
import { type Compaction, COMPACTIONS } from '../model/compaction.js';
import { IsToolChoice, TOOL_NAME, type ToolChoice } from '../messages/is-tool-choice.js';
import { MAX_TOOL_RESULTS } from '../model/tool-calls.js';
import { ResponseFormatBody } from './response-format.dto.js';
import { ToolBody, ToolResultBody } from '../messages/tool.dto.js';

/** Options for generating and delivering an answer. */
export class GenerationBody {
  @ApiPropertyOptional({
    description: 'Model as `provider/model` or a bare model name. Defaults to the server’s default model.',
    maxLength: 256,
    example: 'demo/echo',
  })
  @IsOptionalField()
  @Length(1, 256)
  @IsPlainText()
  @IsString()
  model?: string;

  @ApiPropertyOptional({
    description:
      'Sampling temperature, 0 to 2. If omitted, models that reject the default are called without a temperature.',
    minimum: 0,
    maximum: 2,
    default: 0.7,
  })
  @IsOptionalField()
  @Max(2)
  @Min(0)
  @IsNumber({ allowNaN: false, allowInfinity: false }, { message: '$property must be a number' })
  temperature?: number;

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
    description:
      'Whether `/api/v1/chat` streams the answer as `/api/v1/chat/stream` does, which always streams.',
    default: false,
  })
  @IsOptionalField()
  @IsBoolean()
  stream?: boolean;

  @ApiPropertyOptional({
    description:
      'What happens to an unfinished answer when the client disconnects: `continue` finishes and stores it, `cancel` stops it.',
    enum: ['continue', 'cancel'],
    default: 'continue',
  })
  @IsOptionalField()
  @IsIn(['continue', 'cancel'])
  on_disconnect?: 'continue' | 'cancel';

  @ApiPropertyOptional({
    description:
      'Functions that the model may call. When it does, the answer has `tool_calls` and `finish_reason: tool_calls`: run the tools and send their results to `/api/v1/chat/{message_id}/tool-results`.',
    type: [ToolBody],
    maxItems: 128,
  })
  @IsOptionalField()
  @ValidateNested({ each: true })
  @Type(() => ToolBody)
  @ArrayMaxSize(128)
  // Without this, tool lists nested in the list would pass as nested bodies.
  @IsObject({ each: true })
  @IsArray()
  tools?: ToolBody[];

  @ApiPropertyOptional({
    description:
      'Which tools the model calls: `auto` lets the model decide, `none` disables tool calls, `required` forces at least one, and an object names the one to call.',
    oneOf: [
      { type: 'string', enum: ['auto', 'none', 'required'] },
      {
        type: 'object',
        required: ['type', 'function'],
        properties: {
          type: { type: 'string', enum: ['function'] },
          function: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string', maxLength: 64, pattern: TOOL_NAME.source } },
          },
        },
      },
    ],
    default: 'auto',
  })
  @IsOptionalField()
  @IsToolChoice()
  tool_choice?: ToolChoice;

  @ApiPropertyOptional({
    description:
      'Format of the answer. Defaults to text. An answer that does not have this format is stored and reported as `output_parse_error` (status 422; in a stream, the last event, after the text). Answers that call tools are not checked. Requests to models that do not support the format are rejected.',
    type: ResponseFormatBody,
  })
  @IsOptionalField()
  @ValidateNested()
  @Type(() => ResponseFormatBody)
  @IsObject()
  response_format?: ResponseFormatBody;
}

/** Options of an answer that may be based on collections of documents. */
export class SourcedGenerationBody extends GenerationBody {
  @ApiPropertyOptional({
    description:
      'Collections of documents that the answer is based on: the id of one, the name of one of yours, or a list of up to 20. The answer cites its `sources`; if nothing relevant is found, it says so and no model is called, which is an `output_parse_error` if `response_format` requests JSON. Needs the scope `rag`. An answer that replaces another one has its collections by default.',
    ...COLLECTION_LIST_SCHEMA,
    example: 'default',
  })
  @IsOptionalField()
  @IsCollectionList()
  collection?: string | string[];
}

/** A message to a model. */
export class QuestionBody extends SourcedGenerationBody {
  @ApiProperty({
    description: 'Text of the message, 1 to 5,000 characters. Must not be blank.',
    minLength: 1,
    maxLength: 5000,
    example: 'Why is the sky blue?',
  })
  @IsNotBlank()
  @Length(1, 5000)
  @IsPlainText()
  @IsString()
  message!: string;

  @ApiPropertyOptional({
    description:
      'Whether to use the answer cache. If you sent an identical request with `cache: true` within `CACHE_TTL_S` (one hour by default), its answer is returned; otherwise the new answer is cached. Identical means the same history, prompt, model and parameters.',
    default: false,
  })
  @IsOptionalField()
  @IsBoolean()
  cache?: boolean;
}

/** A message to a model in a conversation. */
export class ChatBody extends QuestionBody {
  @ApiPropertyOptional({
    description: 'Conversation to continue. If omitted, a new conversation is created.',
    format: 'uuid',
  })
  @IsOptionalField()
  @IsUUID()
  conversation_id?: string;

  @ApiPropertyOptional({
    description: 'System prompt of the conversation, from this turn on.',
    maxLength: 1000,
    example: 'You are a patient teacher.',
  })
  @IsOptionalField()
  @Length(1, 1000)
  @IsPlainText()
  @IsString()
  system_prompt?: string;

  @ApiPropertyOptional({
    description:
      'What happens to messages that no longer fit in the context sent to the model, from this turn on: `none` leaves them out, `summary` summarizes them in the background. The stored messages do not change.',
    enum: COMPACTIONS,
    default: 'none',
  })
  @IsOptionalField()
  @IsIn(COMPACTIONS)
  compaction?: Compaction;

  @ApiPropertyOptional({
    description:
      'Ids of your files to send with the message, without duplicates: images (PNG, JPEG, GIF, WebP), PDF and DOCX documents, HTML and text. A model that does not read PDFs gets their text; images and PDFs that are sent as they are may have 20 MB in total. Later turns of the conversation send the files to the model as well, for as long as they exist. Images are rejected for models that cannot read them.',
    type: 'array',
    items: { type: 'string', format: 'uuid' },
    maxItems: MAX_FILES,
    example: [],
  })
  @IsOptionalField()
  @IsFileIds()
  file_ids?: string[];
}

/** Results of the tool calls in an answer. */
export class ToolResultsBody extends GenerationBody {
  @ApiProperty({
    description: 'One result for each call, in any order.',
    type: [ToolResultBody],
    minItems: 1,
    maxItems: MAX_TOOL_RESULTS,
  })
  @ValidateNested({ each: true })
  @Type(() => ToolResultBody)
  @ArrayMaxSize(MAX_TOOL_RESULTS)
  @ArrayMinSize(1)
  @IsObject({ each: true })
  @IsArray()
  tool_results!: ToolResultBody[];
}
