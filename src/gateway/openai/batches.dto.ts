import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { BATCH_ENDPOINTS } from '../../features/batches/index.js';
import { COMPLETION_WINDOW } from './batches-body.js';

/** Statuses of batches in OpenAI's API. */
const STATUSES = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const;

export type OpenAiBatchStatus = (typeof STATUSES)[number];

const TIMESTAMP = { type: 'integer', nullable: true, example: null } as const;
const FILE = { type: String, nullable: true, example: 'file-01a1ff5639c173d3a3f4d1a2b3c4d5e6' } as const;
const COUNT = { type: 'integer', minimum: 0, example: 0 } as const;

/** Query parameters of the list of batches. */
export class BatchListQuery {
  @ApiPropertyOptional({
    description: 'Maximum number of batches, 1 to 100.',
    type: 'integer',
    minimum: 1,
    maximum: 100,
    default: 20,
  })
  @IsOptional()
  @Type(() => Number)
  @Max(100)
  @Min(1)
  @IsInt()
  limit = 20;

  @ApiPropertyOptional({ description: 'Id of the last batch of the previous page.', maxLength: 64 })
  @IsOptional()
  @MaxLength(64)
  @IsString()
  after?: string;
}

/** A fault of the input of a batch in OpenAI's format. */
export class OpenAiBatchFaultBody {
  @ApiProperty({ description: 'Code of the fault.', example: 'url_mismatch' })
  code!: string;

  @ApiProperty({
    description: 'Description of the fault.',
    example: 'url must be /v1/chat/completions, the endpoint of the batch.',
  })
  message!: string;

  @ApiProperty({ description: 'Field of the line.', type: String, nullable: true, example: 'url' })
  param!: string | null;

  @ApiProperty({
    description: 'Number of the line in the file, from 1.',
    type: 'integer',
    nullable: true,
    example: 3,
  })
  line!: number | null;
}

/** The faults of the input of a batch in OpenAI's format. */
export class OpenAiBatchFaultListBody {
  @ApiProperty({ description: 'Always `list`.', enum: ['list'], example: 'list' })
  object!: 'list';

  @ApiProperty({ description: 'The first faults.', type: [OpenAiBatchFaultBody] })
  data!: OpenAiBatchFaultBody[];
}

/** Numbers of requests of a batch. */
export class OpenAiBatchCountsBody {
  @ApiProperty({ description: 'Number of requests; 0 while they are validated.', ...COUNT })
  total!: number;

  @ApiProperty({ description: 'Number of requests that succeeded.', ...COUNT })
  completed!: number;

  @ApiProperty({ description: 'Number of requests that failed.', ...COUNT })
  failed!: number;
}

/** Details of the input tokens of a batch. */
export class OpenAiBatchInputTokensBody {
  @ApiProperty({ description: 'Number of tokens that the provider had cached.', ...COUNT })
  cached_tokens!: number;
}

/** Details of the output tokens of a batch. */
export class OpenAiBatchOutputTokensBody {
  @ApiProperty({ description: 'Number of tokens for reasoning.', ...COUNT })
  reasoning_tokens!: number;
}

/** Tokens of all requests of a batch. */
export class OpenAiBatchUsageBody {
  @ApiProperty({ description: 'Number of input tokens.', ...COUNT })
  input_tokens!: number;

  @ApiProperty({ description: 'Details of the input tokens.', type: OpenAiBatchInputTokensBody })
  input_tokens_details!: OpenAiBatchInputTokensBody;

  @ApiProperty({ description: 'Number of output tokens.', ...COUNT })
  output_tokens!: number;

  @ApiProperty({ description: 'Details of the output tokens.', type: OpenAiBatchOutputTokensBody })
  output_tokens_details!: OpenAiBatchOutputTokensBody;

  @ApiProperty({ description: 'Number of all tokens.', ...COUNT })
  total_tokens!: number;
}

/** A batch in OpenAI's format. */
export class OpenAiBatchBody {
  @ApiProperty({ description: 'Id of the batch.', example: 'batch_01a1ff5639c173d3a3f4d1a2b3c4d5e6' })
  id!: string;

  @ApiProperty({ description: 'Always `batch`.', enum: ['batch'], example: 'batch' })
  object!: 'batch';

  @ApiProperty({
    description: 'Route that answers the requests.',
    enum: BATCH_ENDPOINTS,
    example: '/v1/chat/completions',
  })
  endpoint!: string;

  @ApiProperty({
    description: 'Model of its requests; null before they are validated, and if they name none.',
    type: String,
    nullable: true,
    example: 'openai/gpt-5-mini',
  })
  model!: string | null;

  @ApiProperty({
    description: 'Faults of the input file; null if there are none.',
    type: OpenAiBatchFaultListBody,
    nullable: true,
  })
  errors!: OpenAiBatchFaultListBody | null;

  @ApiProperty({ description: 'Id of the input file.', example: 'file-01a1ff5639c173d3a3f4d1a2b3c4d5e6' })
  input_file_id!: string;

  @ApiProperty({
    description: 'Time within which the batch is processed.',
    enum: [COMPLETION_WINDOW],
    example: COMPLETION_WINDOW,
  })
  completion_window!: string;

  @ApiProperty({
    description: 'Status. `in_progress` is also that of a batch that waits, or is paused by a quota.',
    enum: STATUSES,
    example: 'in_progress',
  })
  status!: OpenAiBatchStatus;

  @ApiProperty({ description: 'Id of the file of successful responses; null if there are none.', ...FILE })
  output_file_id!: string | null;

  @ApiProperty({ description: 'Id of the file of all other requests; null if there are none.', ...FILE })
  error_file_id!: string | null;

  @ApiProperty({
    description: 'Unix timestamp of its creation, in seconds.',
    type: 'integer',
    example: 1_790_000_000,
  })
  created_at!: number;

  @ApiProperty({
    description: 'Unix timestamp at which its requests began to run, in seconds.',
    ...TIMESTAMP,
  })
  in_progress_at!: number | null;

  @ApiProperty({
    description: 'Unix timestamp at which requests that have not run expire, in seconds.',
    ...TIMESTAMP,
  })
  expires_at!: number | null;

  @ApiProperty({
    description: 'Unix timestamp at which it began to write its result files, in seconds.',
    ...TIMESTAMP,
  })
  finalizing_at!: number | null;

  @ApiProperty({ description: 'Unix timestamp of its completion, in seconds.', ...TIMESTAMP })
  completed_at!: number | null;

  @ApiProperty({ description: 'Unix timestamp at which its validation failed, in seconds.', ...TIMESTAMP })
  failed_at!: number | null;

  @ApiProperty({ description: 'Unix timestamp at which it expired, in seconds.', ...TIMESTAMP })
  expired_at!: number | null;

  @ApiProperty({ description: 'Unix timestamp of the request to cancel it, in seconds.', ...TIMESTAMP })
  cancelling_at!: number | null;

  @ApiProperty({ description: 'Unix timestamp at which it was cancelled, in seconds.', ...TIMESTAMP })
  cancelled_at!: number | null;

  @ApiProperty({ description: 'Numbers of requests.', type: OpenAiBatchCountsBody })
  request_counts!: OpenAiBatchCountsBody;

  @ApiProperty({ description: 'Tokens of all requests so far.', type: OpenAiBatchUsageBody })
  usage!: OpenAiBatchUsageBody;

  @ApiProperty({
    description: 'Metadata as set by the client.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { project: 'reviews' },
  })
  metadata!: Readonly<Record<string, string>> | null;
}

/** A page of batches in OpenAI's format. */
export class OpenAiBatchListBody {
  @ApiProperty({ description: 'Always `list`.', enum: ['list'], example: 'list' })
  object!: 'list';

  @ApiProperty({ description: 'Batches, newest first.', type: [OpenAiBatchBody] })
  data!: OpenAiBatchBody[];

  @ApiProperty({ description: 'Id of the first batch; null if there is none.', type: String, nullable: true })
  first_id!: string | null;

  @ApiProperty({
    description: 'Id of the last batch, to send as `after` for the next page; null if there is none.',
    type: String,
    nullable: true,
  })
  last_id!: string | null;

  @ApiProperty({ description: 'Whether there is another page.' })
  has_more!: boolean;
}
