import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import {
  ApiErrors,
  ApiIdempotencyKey,
  CurrentCaller,
  IdempotencyKey,
  markReplayed,
  SchemaPipe,
  Scope,
  UserId,
} from '../../http/index.js';
import { BATCH_CREATE, type BatchCreateBody } from './batches-body.js';
import { BatchListQuery, OpenAiBatchBody, OpenAiBatchListBody } from './batches.dto.js';
import { POLL_HEADER, toOpenAiBatch, toOpenAiBatchList, toPollHeaders } from './batches.mapper.js';
import { OpenAiBatchesService } from './batches.service.js';
import { BATCH_CREATE_DOC } from './documentation.js';

const ID = {
  name: 'id',
  description: 'Id of the batch: `batch_…`.',
  schema: { type: 'string' },
  example: 'batch_01a1ff5639c173d3a3f4d1a2b3c4d5e6',
} as const;

@Scope('batch')
@ApiTags('openai')
@Controller('v1/batches')
export class OpenAiBatchesController {
  constructor(private readonly batches: OpenAiBatchesService) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Create a batch',
    description:
      'OpenAI’s API format, for every provider. The file was uploaded to `/v1/files` with the purpose `batch`; each of its lines is one request. Its content is validated after this response: then the status of the batch is `failed`, and `errors` names the lines.',
  })
  @ApiIdempotencyKey()
  @ApiBody({ schema: BATCH_CREATE_DOC })
  @ApiOkResponse({ type: OpenAiBatchBody, description: 'The batch.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found', 'idempotency_key_reused', 'batch_limit_exceeded')
  async create(
    @CurrentCaller() caller: Caller,
    @Body(new SchemaPipe<BatchCreateBody>(BATCH_CREATE)) body: BatchCreateBody,
    @IdempotencyKey() key: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OpenAiBatchBody> {
    const created = await this.batches.createBatch(caller, body, key);
    markReplayed(response, created);
    return toOpenAiBatch(created.batch);
  }

  @Get()
  @ApiOperation({ summary: 'List batches', description: 'OpenAI’s API format. Newest first.' })
  @ApiOkResponse({ type: OpenAiBatchListBody, description: 'A page of the list.' })
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() query: BatchListQuery): Promise<OpenAiBatchListBody> {
    return toOpenAiBatchList(await this.batches.listBatches(userId, query), query.limit);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a batch', description: 'OpenAI’s API format.' })
  @ApiParam(ID)
  @ApiOkResponse({
    type: OpenAiBatchBody,
    description: 'The batch.',
    headers: {
      [POLL_HEADER]: {
        description: 'Milliseconds after which to ask again; absent once the batch has ended.',
        schema: { type: 'integer' },
      },
    },
  })
  @ApiErrors('unauthorized', 'not_found')
  async get(
    @UserId() userId: string,
    @Param('id') id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OpenAiBatchBody> {
    const batch = await this.batches.getBatch(userId, id);
    response.set(toPollHeaders(batch));
    return toOpenAiBatch(batch);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Cancel a batch',
    description:
      'OpenAI’s API format. Requests that have finished stay in the output file; the others are in the error file with the code `batch_cancelled`. A batch that has ended stays unchanged.',
  })
  @ApiParam(ID)
  @ApiOkResponse({ type: OpenAiBatchBody, description: 'The batch, which is being cancelled.' })
  @ApiErrors('unauthorized', 'not_found')
  async cancel(@UserId() userId: string, @Param('id') id: string): Promise<OpenAiBatchBody> {
    return toOpenAiBatch(await this.batches.cancelBatch(userId, id));
  }
}
