import { Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { Response } from 'express';
import {
  ApiErrors,
  ApiFileDownload,
  ApiIdempotencyKey,
  ApiPage,
  FileForm,
  IdempotencyKey,
  IdParams,
  markReplayed,
  type Page,
  PageQuery,
  Scope,
  sendFileDownload,
  AcceptsFile,
  toPage,
  UploadForm,
  UserId,
} from '../../http/index.js';
import { FileBody } from './file.dto.js';
import { UPLOAD_SCHEMA } from './upload.openapi.js';
import { toFileBody } from './file.mapper.js';
import { FileService } from './file.service.js';

@Scope('files')
@ApiTags('files')
@Controller('api/v1/files')
export class FilesController {
  constructor(private readonly files: FileService) {}

  @Post()
  @AcceptsFile(
    'file',
    'File to upload, at least 1 byte and at most `MAX_UPLOAD_MB` megabytes (32 by default), or `BATCH_MAX_INPUT_MB` (200) if its purpose is `batch`.',
    UPLOAD_SCHEMA,
  )
  @ApiOperation({
    summary: 'Upload a file',
    description:
      'A form with a part named `file`, and optionally text fields, before or after it. The file becomes available only once all of it is stored; an interrupted upload leaves nothing behind. Equal bytes are stored once.',
  })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ type: FileBody, description: 'The file.' })
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
  ): Promise<FileBody> {
    const idempotency = key === undefined ? undefined : { route: 'POST /api/v1/files', key };
    const uploaded = await form.receive(this.files.formParts, (file) =>
      this.files.create(userId, file, { idempotency }),
    );
    markReplayed(response, uploaded);
    return toFileBody(uploaded.file);
  }

  @Get()
  @ApiOperation({ summary: 'List your files, newest first' })
  @ApiPage(FileBody)
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() page: PageQuery): Promise<Page<FileBody>> {
    return toPage(await this.files.listFiles(userId, page.slice()), page.limit, toFileBody);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a file’s metadata' })
  @ApiOkResponse({ type: FileBody, description: 'The file.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { id }: IdParams): Promise<FileBody> {
    return toFileBody(await this.files.getFile(userId, id));
  }

  @Get(':id/content')
  @ApiOperation({
    summary: 'Download a file',
    description:
      'Returns the bytes as uploaded, with the detected media type, as an attachment for download rather than display.',
  })
  @ApiFileDownload()
  @ApiErrors('invalid_request', 'unauthorized', 'not_found', 'range_not_satisfiable')
  async content(
    @UserId() userId: string,
    @Param() { id }: IdParams,
    @Res() response: Response,
  ): Promise<void> {
    await sendFileDownload(response, await this.files.getDownload(userId, id));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete a file',
    description: 'Deletes the file with its bytes. Messages sent with it keep its name.',
  })
  @ApiNoContentResponse({ description: 'The file was deleted.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  delete(@UserId() userId: string, @Param() { id }: IdParams): Promise<void> {
    return this.files.delete(userId, id);
  }
}
