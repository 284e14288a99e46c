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
import { type Compaction, COMPACTIONS } from '../model/compaction.js';
import { IsToolChoice, TOOL_NAME, type ToolChoice } from '../messages/is-tool-choice.js';
import { MAX_TOOL_RESULTS } from '../model/tool-calls.js';
import { ResponseFormatBody } from './response-format.dto.js';
import { ToolBody, ToolCallBody, ToolResultBody } from '../messages/tool.dto.js';
import { UsageBody } from '../messages/usage.dto.js';

/** Options for generating and delivering an answer. */
export class GenerationBody {
  @ApiPropertyOptional({
    description: '`provider/model` or a bare model name; the server’s default without it.',
    maxLength: 256,
    example: 'demo/echo',
  })
  @IsOptionalField()
  @Length(1, 256)
  @IsPlainText()
  @IsString()
  model?: string;

  @ApiPropertyOptional({
    description: 'Sampling temperature. Models that refuse the default are asked without it.',
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
    description: 'Most tokens of the answer; the model’s own limit without it.',
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
    description: 'True answers on `/api/v1/chat` as `/api/v1/chat/stream` does, which streams in any case.',
    default: false,
  })
  @IsOptionalField()
  @IsBoolean()
  stream?: boolean;

  @ApiPropertyOptional({
    description:
      'What your leaving does to an answer that is not finished: `continue` lets it be finished and stored, `cancel` stops it.',
    enum: ['continue', 'cancel'],
    default: 'continue',
  })
  @IsOptionalField()
  @IsIn(['continue', 'cancel'])
  on_disconnect?: 'continue' | 'cancel';

  @ApiPropertyOptional({
    description:
      'Functions that the model may call. It answers with `tool_calls` then, and `finish_reason: tool_calls`: run them and send what came of them to `/api/v1/chat/{message_id}/tool-results`.',
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
      'Whether tools are called: as the model thinks fit (`auto`), not at all, at least one, or the one that is named.',
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
      'Format of the answer; text without it. An answer without that format is stored and reported as `output_parse_error` (422; in a stream the last event, after the text). Answers that call tools are not checked. Not every model can do it: those that cannot are refused.',
    type: ResponseFormatBody,
  })
  @IsOptionalField()
  @ValidateNested()
  @Type(() => ResponseFormatBody)
  @IsObject()
  response_format?: ResponseFormatBody;
}

/** A message to a model. */
export class QuestionBody extends GenerationBody {
  @ApiProperty({
    description: 'What you say. Not blank.',
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
      'True gives the answer to an equal question again, where you asked one with `cache: true` within the last hour or so (`CACHE_TTL_S`), and keeps this one. Equal means the same history, prompt, model and parameters.',
    default: false,
  })
  @IsOptionalField()
  @IsBoolean()
  cache?: boolean;
}

/** A message to a model in a conversation. */
export class ChatBody extends QuestionBody {
  @ApiPropertyOptional({
    description: 'The conversation to go on with; a new one begins without it.',
    format: 'uuid',
  })
  @IsOptionalField()
  @IsUUID()
  conversation_id?: string;

  @ApiPropertyOptional({
    description: 'How the model is to behave, from this turn on in this conversation.',
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
      'What becomes of messages that no longer fit into what the model is told, from this turn on in this conversation: `none` leaves them out, `summary` has them summed up in the background. The messages stay as they are.',
    enum: COMPACTIONS,
    default: 'none',
  })
  @IsOptionalField()
  @IsIn(COMPACTIONS)
  compaction?: Compaction;

  @ApiPropertyOptional({
    description:
      'Files of yours that come with the message, each once: images (PNG, JPEG, GIF, WebP), PDFs and texts, 20 MB together, a text 1 MB. The model is told them in the later turns of the conversation too, as long as they are there. One that cannot read them is refused.',
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
    description: 'One for each call, in any order.',
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

/** Path parameters that identify an answer. */
export class AnswerParams {
  @ApiProperty({
    description: 'Id of the answer: `message_id`, or the header `X-Message-ID`.',
    format: 'uuid',
  })
  @IsUUID()
  message_id!: string;
}

/** A finished answer. */
export class AnswerBody {
  @ApiProperty({ description: 'The answer.', example: 'Because air scatters blue light more than red.' })
  message!: string;

  @ApiPropertyOptional({
    description: 'The calls of tools that it asks for; `finish_reason` is `tool_calls` then.',
    type: [ToolCallBody],
  })
  tool_calls?: ToolCallBody[];

  @ApiProperty({ format: 'uuid', description: 'Send it with the next message to go on.' })
  conversation_id!: string;

  @ApiProperty({ format: 'uuid', description: 'Id of the answer.' })
  message_id!: string;

  @ApiProperty({ description: 'The model that answered.', example: 'demo/echo' })
  model!: string;

  @ApiProperty({ description: 'The same as `usage.total_tokens`.', type: 'integer', example: 46 })
  tokens_used!: number;

  @ApiProperty({ description: 'Tokens of this turn.', type: UsageBody })
  usage!: UsageBody;

  @ApiProperty({
    description: 'US dollars; null where no price is known.',
    type: Number,
    nullable: true,
    example: 0.000123,
  })
  cost_estimate!: number | null;

  @ApiProperty({
    description:
      'Why the answer ended: `stop`, `length`, `content_filter` or `tool_calls`; `stopped` where you stopped it.',
    example: 'stop',
  })
  finish_reason!: string;

  @ApiProperty({
    description:
      'Whether the answer comes out of the cache. `usage` is then that of the answer when it was made; nothing of it is billed.',
    example: false,
  })
  cached!: boolean;

  @ApiPropertyOptional({
    description: 'There where a part of the answer could not be read and may be missing.',
  })
  warning?: string;

  @ApiPropertyOptional({
    description:
      'Parameters of the request that the model did not take as they were, as in the header `X-Ignored-Params`. Present only if there are any, and not when an answer is read again later.',
    type: [String],
    example: ['temperature'],
  })
  ignored_params?: string[];

  @ApiProperty({ format: 'date-time', description: 'When the answer ended.' })
  timestamp!: string;
}
