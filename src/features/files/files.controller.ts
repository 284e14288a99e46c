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
  ApiPage,
  FileForm,
  IdParams,
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
    'File to upload, at least 1 byte and at most `MAX_UPLOAD_MB` megabytes (32 by default).',
  )
  @ApiOperation({
    summary: 'Upload a file',
    description:
      'A form with one part, `file`. The file becomes available only once all of it is stored; an interrupted upload leaves nothing behind.',
  })
  @ApiCreatedResponse({ type: FileBody, description: 'The file.' })
  @ApiErrors('invalid_request', 'unauthorized', 'payload_too_large', 'unsupported_media_type')
  async create(@UserId() userId: string, @FileForm() form: UploadForm): Promise<FileBody> {
    const options = { field: 'file', maxBytes: this.files.maxBytes };
    return toFileBody(await form.receive(options, (file) => this.files.create(userId, file)));
  }

  @Get()
  @ApiOperation({ summary: 'List your files, newest first' })
  @ApiPage(FileBody)
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() page: PageQuery): Promise<Page<FileBody>> {
    return toPage(await this.files.list(userId, page.slice()), page.limit, toFileBody);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a file’s metadata' })
  @ApiOkResponse({ type: FileBody, description: 'The file.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { id }: IdParams): Promise<FileBody> {
    return toFileBody(await this.files.get(userId, id));
  }

  @Get(':id/content')
  @ApiOperation({
    summary: 'Download a file',
    description:
      'Returns the bytes as uploaded, with the detected media type, as an attachment for download rather than display.',
  })
  @ApiOkResponse({
    description: 'The bytes of the file.',
    content: { '*/*': { schema: { type: 'string', format: 'binary' } } },
  })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async content(
    @UserId() userId: string,
    @Param() { id }: IdParams,
    @Res() response: Response,
  ): Promise<void> {
    const { file, bytes } = await this.files.open(userId, id);
    await sendFileDownload(response, { ...file, bytes });
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
