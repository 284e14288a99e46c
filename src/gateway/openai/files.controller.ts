import { Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { UPLOAD_SCHEMA } from '../../features/files/index.js';
import {
  AcceptsFile,
  ApiErrors,
  ApiFileDownload,
  ApiIdempotencyKey,
  FileForm,
  IdempotencyKey,
  markReplayed,
  Scope,
  sendFileDownload,
  UploadForm,
  UserId,
} from '../../http/index.js';
import { FileListQuery, OpenAiFileBody, OpenAiFileDeletedBody, OpenAiFileListBody } from './files.dto.js';
import { toOpenAiFile, toOpenAiFileList } from './files.mapper.js';
import { OpenAiFilesService } from './files.service.js';

const ID = {
  name: 'id',
  description: 'Id of the file: `file-…`, or its UUID.',
  schema: { type: 'string' },
  example: 'file-01a1ff5639c173d3a3f4d1a2b3c4d5e6',
} as const;

@Scope('files')
@ApiTags('openai')
@Controller('v1/files')
export class OpenAiFilesController {
  constructor(private readonly files: OpenAiFilesService) {}

  @Post()
  @HttpCode(200)
  @AcceptsFile(
    'file',
    'File to upload, at least 1 byte and at most `MAX_UPLOAD_MB` megabytes (32 by default), or `BATCH_MAX_INPUT_MB` (200) if its purpose is `batch`.',
    { ...UPLOAD_SCHEMA, required: ['purpose'] },
  )
  @ApiOperation({
    summary: 'Upload a file',
    description:
      'OpenAI’s API format. The fields of the form may come in any order; unknown ones are ignored. The file is also available under `/api/v1/files`.',
  })
  @ApiIdempotencyKey()
  @ApiOkResponse({ type: OpenAiFileBody, description: 'The file.' })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'not_found',
    'idempotency_key_reused',
    'payload_too_large',
    'storage_quota_exceeded',
    'unsupported_media_type',
  )
  async create(
    @UserId() userId: string,
    @FileForm() form: UploadForm,
    @IdempotencyKey() key: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<OpenAiFileBody> {
    const uploaded = await this.files.upload(userId, form, key);
    markReplayed(response, uploaded);
    return toOpenAiFile(uploaded.file);
  }

  @Get()
  @ApiOperation({ summary: 'List files', description: 'OpenAI’s API format.' })
  @ApiOkResponse({ type: OpenAiFileListBody, description: 'A page of the list.' })
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() query: FileListQuery): Promise<OpenAiFileListBody> {
    return toOpenAiFileList(await this.files.listFiles(userId, query), query.limit);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a file', description: 'OpenAI’s API format.' })
  @ApiParam(ID)
  @ApiOkResponse({ type: OpenAiFileBody, description: 'The file.' })
  @ApiErrors('unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param('id') id: string): Promise<OpenAiFileBody> {
    return toOpenAiFile(await this.files.getFile(userId, id));
  }

  @Get(':id/content')
  @ApiOperation({ summary: 'Download a file', description: 'Returns the bytes as uploaded.' })
  @ApiParam(ID)
  @ApiFileDownload()
  @ApiErrors('unauthorized', 'not_found', 'range_not_satisfiable')
  async content(@UserId() userId: string, @Param('id') id: string, @Res() response: Response): Promise<void> {
    await sendFileDownload(response, await this.files.getDownload(userId, id));
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Delete a file', description: 'OpenAI’s API format.' })
  @ApiParam(ID)
  @ApiOkResponse({ type: OpenAiFileDeletedBody, description: 'The file was deleted.' })
  @ApiErrors('unauthorized', 'not_found')
  async delete(@UserId() userId: string, @Param('id') id: string): Promise<OpenAiFileDeletedBody> {
    await this.files.delete(userId, id);
    return { id, object: 'file', deleted: true };
  }
}
