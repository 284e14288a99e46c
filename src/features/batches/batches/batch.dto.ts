import { ApiProperty } from '@nestjs/swagger';
import { IsUUID } from 'class-validator';
import { BATCH_STATUSES, type BatchStatus } from '../model/batch.js';
import { BATCH_TASKS, type BatchTask } from '../model/batch-task.js';

/** The batch in a path. */
export class BatchParams {
  @ApiProperty({ description: 'Id of the batch, its `job_id`.', format: 'uuid' })
  @IsUUID()
  job_id!: string;
}

/** Numbers of requests of a batch by status. */
export class BatchCountsBody {
  @ApiProperty({
    description: 'Number of all requests; null while the input is validated.',
    type: 'integer',
    nullable: true,
    example: 1000,
  })
  total!: number | null;

  @ApiProperty({ description: 'Number of requests that wait.', type: 'integer', example: 390 })
  waiting!: number;

  @ApiProperty({ description: 'Number of requests that run now.', type: 'integer', example: 10 })
  running!: number;

  @ApiProperty({
    description: 'Number of requests with a successful response.',
    type: 'integer',
    example: 598,
  })
  completed!: number;

  @ApiProperty({ description: 'Number of requests that failed.', type: 'integer', example: 2 })
  failed!: number;

  @ApiProperty({
    description: 'Number of requests that did not run, because the batch was cancelled or expired.',
    type: 'integer',
    example: 0,
  })
  skipped!: number;
}

/** Tokens and cost of all calls of models, including retries and failures. */
export class BatchUsageBody {
  @ApiProperty({
    description: 'Number of tokens sent to models, including those from their prompt caches.',
    type: 'integer',
    example: 12_000,
  })
  prompt_tokens!: number;

  @ApiProperty({
    description: 'Number of tokens in answers, including reasoning.',
    type: 'integer',
    example: 3_400,
  })
  completion_tokens!: number;

  @ApiProperty({
    description: 'Sum of `prompt_tokens` and `completion_tokens`.',
    type: 'integer',
    example: 15_400,
  })
  total_tokens!: number;

  @ApiProperty({
    description: 'Those of `prompt_tokens` that providers read from their prompt caches.',
    type: 'integer',
    example: 0,
  })
  cached_tokens!: number;

  @ApiProperty({
    description: 'Those of `completion_tokens` spent on reasoning.',
    type: 'integer',
    example: 0,
  })
  reasoning_tokens!: number;

  @ApiProperty({
    description: 'Estimated cost in US dollars of all attempts with a known price; null if none has one.',
    type: Number,
    nullable: true,
    example: 0.0123,
  })
  cost_estimate!: number | null;

  @ApiProperty({
    description:
      'Number of attempts not included in `cost_estimate` because the price of their model is unknown.',
    type: 'integer',
    example: 0,
  })
  unpriced_attempts!: number;
}

/** A fault of the input of a batch. */
export class BatchErrorBody {
  @ApiProperty({
    description:
      'Stable code of the fault: `invalid_json_line`, `invalid_request`, `duplicate_custom_id`, `url_mismatch`, …',
    example: 'duplicate_custom_id',
  })
  code!: string;

  @ApiProperty({ description: 'What is wrong.', example: 'custom_id is the same as in line 3.' })
  message!: string;

  @ApiProperty({ description: 'Field of the request, if it is about one.', type: String, nullable: true })
  param!: string | null;

  @ApiProperty({
    description: 'Number of the line in the file, from 1; null if it is about the whole input.',
    type: 'integer',
    nullable: true,
    example: 7,
  })
  line!: number | null;
}

/** The reason for which a batch is paused. */
export class BatchPauseBody {
  @ApiProperty({ description: 'Stable error code.', example: 'quota_exceeded' })
  code!: string;

  @ApiProperty({ description: 'What the batch is waiting for.', example: 'The daily quota is used up.' })
  message!: string;

  @ApiProperty({
    description: 'Time at which the batch tries to continue; null if unknown.',
    type: String,
    format: 'date-time',
    nullable: true,
  })
  resume_at!: string | null;
}

/** Paths of a batch on this server. */
export class BatchLinksBody {
  @ApiProperty({ description: 'State of the batch.', example: '/api/v1/batch/0199…' })
  self!: string;

  @ApiProperty({ description: 'Results.', example: '/api/v1/batch/0199…/results' })
  results!: string;

  @ApiProperty({ description: 'Progress as Server-Sent Events.', example: '/api/v1/batch/0199…/events' })
  events!: string;

  @ApiProperty({ description: 'Cancels the batch with POST.', example: '/api/v1/batch/0199…/cancel' })
  cancel!: string;
}

const TIME = { type: String, format: 'date-time', nullable: true } as const;

/** A batch in its current state. */
export class BatchBody {
  @ApiProperty({ description: 'Id of the batch.', format: 'uuid' })
  job_id!: string;

  @ApiProperty({ description: 'Kind of work.', enum: BATCH_TASKS })
  task!: BatchTask;

  @ApiProperty({
    description:
      'Status: `validating` (a file is read), `queued`, `running`, `paused` (see `pause`), `finalizing` and `cancelling` (about to end), and at the end `completed` (each request has a response or has failed), `failed` (the input has faults, see `errors`), `cancelled` or `expired`.',
    enum: BATCH_STATUSES,
    example: 'running',
  })
  status!: BatchStatus;

  @ApiProperty({
    description: 'Number of all requests, as in `counts`; null while the input is validated.',
    type: 'integer',
    nullable: true,
    example: 1000,
  })
  total!: number | null;

  @ApiProperty({ description: 'Numbers of requests.', type: BatchCountsBody })
  counts!: BatchCountsBody;

  @ApiProperty({ description: 'Tokens and cost so far.', type: BatchUsageBody })
  usage!: BatchUsageBody;

  @ApiProperty({ description: 'Faults of the input, at most 100.', type: [BatchErrorBody] })
  errors!: BatchErrorBody[];

  @ApiProperty({
    description: 'Reason for which the batch is paused; null if it is not.',
    type: BatchPauseBody,
    nullable: true,
  })
  pause!: BatchPauseBody | null;

  @ApiProperty({ description: 'Id of the file of requests, if there is one.', ...TIME, format: 'uuid' })
  input_file_id!: string | null;

  @ApiProperty({
    description: 'Maximum number of its requests that run at once; null if it has no limit of its own.',
    type: 'integer',
    nullable: true,
    example: 4,
  })
  max_concurrency!: number | null;

  @ApiProperty({
    description: 'Your own data from the submission; null if there is none.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { run: 'nightly' },
  })
  metadata!: Record<string, string> | null;

  @ApiProperty({ description: 'Time of the submission.', format: 'date-time' })
  created_at!: string;

  @ApiProperty({ description: 'Time at which its first request began to run; null before.', ...TIME })
  started_at!: string | null;

  @ApiProperty({
    description:
      'Time at which it will end if it continues at its average rate so far; null while there is none.',
    ...TIME,
  })
  estimated_end_at!: string | null;

  @ApiProperty({ description: 'Time at which it ended; null before.', ...TIME })
  ended_at!: string | null;

  @ApiProperty({
    description:
      'Time after which it is ended as `expired`: 24 hours after the submission or the last retry.',
    format: 'date-time',
  })
  expires_at!: string;

  @ApiProperty({ description: 'Paths of this batch.', type: BatchLinksBody })
  links!: BatchLinksBody;
}
