import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiExtraModels,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../../common/caller.js';
import { Clock } from '../../../common/clock.js';
import {
  ApiErrors,
  ApiIdempotencyKey,
  ApiPage,
  CurrentCaller,
  IdempotencyKey,
  markReplayed,
  type Page,
  PageQuery,
  SchemaPipe,
  Scope,
  sendEventStream,
  toPage,
  UserId,
  withClientSignal,
} from '../../../http/index.js';
import { BatchBody, BatchParams } from './batch.dto.js';
import { toBatchBody } from './batch.mapper.js';
import { EVENTS_EXAMPLE, LINES_EXAMPLE, SUBMISSION_BODY } from './batch.openapi.js';
import { BatchEvents } from './batch-events.js';
import { ResultsPageBody, ResultsQuery } from './batch-results.dto.js';
import { BatchResultsResponder } from './batch-results-responder.js';
import { BatchSubmissionService } from './batch-submission.service.js';
import { type BatchKey, BatchService } from './batch.service.js';
import { NEW_BATCH, type NewBatchBody, withoutNulls } from './new-batch.dto.js';

@Scope('batch')
@ApiTags('batches')
@Controller('api/v1/batch')
export class BatchesController {
  constructor(
    private readonly submissions: BatchSubmissionService,
    private readonly batches: BatchService,
    private readonly progress: BatchEvents,
    private readonly results: BatchResultsResponder,
    private readonly clock: Clock,
  ) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({
    summary: 'Submit a batch',
    description:
      'Stores up to 50,000 requests that are answered in the background, as `/v1/chat/completions` or `/v1/embeddings` would, and survive restarts. The response comes at once. Then poll `GET /api/v1/batch/{job_id}` until `status` is `completed`, or follow `…/events`, and read `…/results`, which has each result as soon as its request has ended. The body may be as large as an upload (`MAX_UPLOAD_MB`) and have 400,000 JSON values; send a file for more. A batch expires after 24 hours, and is deleted with its results 30 days after it ended. An account has at most 20 batches that have not ended, and 200,000 requests in them.',
  })
  @ApiBody(SUBMISSION_BODY)
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({
    type: BatchBody,
    description: 'The batch. Its `total` is null while a file is validated.',
  })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'not_found',
    'idempotency_key_reused',
    'payload_too_large',
    'unsupported_media_type',
    'batch_limit_exceeded',
  )
  async submit(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @Body(new SchemaPipe<NewBatchBody>(NEW_BATCH, withoutNulls)) body: NewBatchBody,
    @Res({ passthrough: true }) response: Response,
  ): Promise<BatchBody> {
    const submitted = await withClientSignal(response, (signal) =>
      this.submissions.submitBatch(caller, body, key, signal),
    );
    markReplayed(response, submitted);
    return this.toBody(submitted.batch);
  }

  @Get()
  @ApiOperation({
    summary: 'List your batches, newest first',
    description: 'Batches of the OpenAI-compatible API are listed by `GET /v1/batches`.',
  })
  @ApiPage(BatchBody)
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() page: PageQuery): Promise<Page<BatchBody>> {
    return toPage(await this.batches.listBatches(userId, 'parley', page.slice()), page.limit, this.toBody);
  }

  @Get(':job_id')
  @ApiOperation({
    summary: 'Get a batch',
    description: 'Status, numbers of requests, tokens, cost and times. Poll it as often as you like.',
  })
  @ApiOkResponse({ type: BatchBody, description: 'The batch in its current state.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { job_id: id }: BatchParams): Promise<BatchBody> {
    return this.toBody(await this.batches.getBatch(keyOf(userId, id)));
  }

  @Get(':job_id/results')
  @ApiOperation({
    summary: 'Read the results of a batch',
    description:
      'Results of the requests that have ended, in the order of the input: as JSON Lines, streamed as you read them, or with `limit` or `after` as a page of JSON. While the batch runs, a request before `after` may still end; the results are complete when the batch has ended. If the stream breaks off, its last line is `{"error": …}`.',
  })
  @ApiExtraModels(ResultsPageBody)
  @ApiOkResponse({
    description: 'Results, as one JSON object per line, or as a page.',
    content: {
      'application/jsonl': { schema: { type: 'string' }, example: LINES_EXAMPLE },
      'application/json': { schema: { $ref: getSchemaPath(ResultsPageBody) } },
    },
  })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async readResults(
    @UserId() userId: string,
    @Param() { job_id: id }: BatchParams,
    @Query() query: ResultsQuery,
    @Res() response: Response,
  ): Promise<void> {
    await this.results.sendResults(response, keyOf(userId, id), query);
  }

  @Get(':job_id/events')
  @ApiOperation({
    summary: 'Follow the progress of a batch',
    description:
      'Server-Sent Events: the batch in its current state, then after changes, until it has ended, followed by `[DONE]`. Each event is the whole state, so that none is missed by a client that reconnects; one that sends `Last-Event-ID` does not get the state that it has already. Lines that begin with a colon are pings.',
  })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'The `id` of the last event received. Browsers send it automatically.',
    schema: { type: 'string', example: 'Yc4zvU0bRkq1' },
  })
  @ApiOkResponse({
    description: 'The states of the batch.',
    content: { 'text/event-stream': { schema: { type: 'string' }, example: EVENTS_EXAMPLE } },
  })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async events(
    @UserId() userId: string,
    @Param() { job_id: id }: BatchParams,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    const events = await this.progress.openEvents(keyOf(userId, id), lastEventId);
    await sendEventStream(response, { begin: 'at_once', headers: {}, events });
  }

  @Post(':job_id/cancel')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Cancel a batch',
    description:
      'Requests that have ended keep their results; the others are `cancelled`. A batch that is ending or has ended stays unchanged.',
  })
  @ApiOkResponse({ type: BatchBody, description: 'The batch in its current state.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async cancel(@UserId() userId: string, @Param() { job_id: id }: BatchParams): Promise<BatchBody> {
    return this.toBody(await this.batches.cancelBatch(keyOf(userId, id)));
  }

  @Post(':job_id/retry')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Retry the failed requests of a batch',
    description:
      'Runs the requests of an ended batch again that failed, were cancelled or expired; it has another 24 hours. Successful results stay. A batch without such requests stays unchanged.',
  })
  @ApiOkResponse({ type: BatchBody, description: 'The batch in its current state.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found', 'batch_limit_exceeded')
  async retry(@UserId() userId: string, @Param() { job_id: id }: BatchParams): Promise<BatchBody> {
    return this.toBody(await this.batches.retryBatch(keyOf(userId, id)));
  }

  @Delete(':job_id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete a batch',
    description:
      'Deletes a batch in any state with its results. Requests that wait do not run. Its input file stays.',
  })
  @ApiNoContentResponse({ description: 'The batch was deleted.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  delete(@UserId() userId: string, @Param() { job_id: id }: BatchParams): Promise<void> {
    return this.batches.deleteBatch(keyOf(userId, id));
  }

  private readonly toBody = (batch: Parameters<typeof toBatchBody>[0]): BatchBody =>
    toBatchBody(batch, this.clock.now());
}

function keyOf(userId: string, id: string): BatchKey {
  return { userId, api: 'parley', id };
}
