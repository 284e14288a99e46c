import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, Max, Min } from 'class-validator';
import { BATCH_LIMITS } from '../model/batch.js';
import { ITEM_END_STATUSES, type ItemEndStatus } from '../model/batch-item.js';
import { BatchUsageBody } from './batch.dto.js';

const MAX_LIMIT = 1000;

const RESPONSE_FORMS = ['full', 'none'] as const;

/** Selects results, and their form. */
export class ResultsQuery {
  @ApiPropertyOptional({
    description:
      'Maximum number of results, 1 to 1,000. With it, or with `after`, the response is a page of JSON; without both, it is all results as JSON Lines. A page of large responses has fewer. 100 by default.',
    type: 'integer',
    minimum: 1,
    maximum: MAX_LIMIT,
  })
  @IsOptional()
  @Type(() => Number)
  @Max(MAX_LIMIT)
  @Min(1)
  @IsInt()
  limit?: number;

  @ApiPropertyOptional({
    description: '`line` of the last result of the previous page; the page begins after it.',
    type: 'integer',
    minimum: 0,
    maximum: BATCH_LIMITS.items,
  })
  @IsOptional()
  @Type(() => Number)
  @Max(BATCH_LIMITS.items)
  @Min(0)
  @IsInt()
  after?: number;

  @ApiPropertyOptional({ description: 'Only results in this status.', enum: ITEM_END_STATUSES })
  @IsOptional()
  @IsIn(ITEM_END_STATUSES)
  status?: ItemEndStatus;

  @ApiPropertyOptional({
    description:
      '`none` leaves out `response`, whose body repeats the text or the embedding: results are half as large.',
    enum: RESPONSE_FORMS,
    default: 'full',
  })
  @IsOptional()
  @IsIn(RESPONSE_FORMS)
  response?: (typeof RESPONSE_FORMS)[number];
}

/** The response that the route of a request has sent. */
export class ResultResponseBody {
  @ApiProperty({ description: 'HTTP status.', type: 'integer', example: 200 })
  status_code!: number;

  @ApiProperty({ description: 'Id of the request, as in the logs.', type: String, nullable: true })
  request_id!: string | null;

  @ApiProperty({
    description: 'Body, as of `/v1/chat/completions` or `/v1/embeddings`; of a failure, the error.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
  })
  body!: unknown;
}

/** The reason for which a request has no successful response. */
export class ResultErrorBody {
  @ApiProperty({
    description: 'Stable error code; `batch_cancelled` or `batch_expired` if the request did not run.',
    example: 'model_not_found',
  })
  code!: string;

  @ApiProperty({ description: 'What happened.' })
  message!: string;
}

/** The result of a request that has ended. */
export class ResultBody {
  @ApiProperty({ description: 'Your id of the request, or `request-` and its `line`.', example: 'request-1' })
  custom_id!: string;

  @ApiProperty({ description: 'Place of the request in the input, from 1.', type: 'integer', example: 1 })
  line!: number;

  @ApiProperty({ description: 'Status of the request.', enum: ITEM_END_STATUSES })
  status!: ItemEndStatus;

  @ApiProperty({
    description: 'Text of the answer; null with the task `embed`, and if there is none.',
    type: String,
    nullable: true,
    example: 'positive',
  })
  text!: string | null;

  @ApiProperty({
    description:
      'Embedding of the text, or of the first text of the request; null with the task `chat`, without a successful response, and if the request asks for base64.',
    type: [Number],
    nullable: true,
    example: null,
  })
  embedding!: number[] | null;

  @ApiPropertyOptional({
    description:
      'The complete response; null if the request got none. Absent if the query has `response=none`.',
    type: ResultResponseBody,
    nullable: true,
  })
  response?: ResultResponseBody | null;

  @ApiProperty({
    description: 'Why there is no successful response; null if there is one.',
    type: ResultErrorBody,
    nullable: true,
  })
  error!: ResultErrorBody | null;

  @ApiProperty({ description: 'Tokens and cost of this request.', type: BatchUsageBody })
  usage!: BatchUsageBody;
}

/** A page of results. */
export class ResultsPageBody {
  @ApiProperty({ description: 'Always `list`.', enum: ['list'] })
  object!: 'list';

  @ApiProperty({ description: 'Results, in the order of the input.', type: [ResultBody] })
  data!: ResultBody[];

  @ApiProperty({
    description: '`line` of the first result; null if the page is empty.',
    type: 'integer',
    nullable: true,
    example: 1,
  })
  first_id!: number | null;

  @ApiProperty({
    description:
      '`line` of the last result, to send as `after` for the next page; null if the page is empty.',
    type: 'integer',
    nullable: true,
    example: 100,
  })
  last_id!: number | null;

  @ApiProperty({ description: 'Whether there are more results now.' })
  has_more!: boolean;
}
