import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import {
  ApiErrors,
  IdParams,
  SchemaPipe,
  Scope,
  sendGeneratedDownload,
  UserId,
  withClientSignal,
} from '../../../http/index.js';
import { ConversationBody } from '../conversations/conversation.dto.js';
import { toConversationBody } from '../conversations/conversation.mapper.js';
import { CONVERSATION_FILE, CONVERSATION_FILE_DOC, type ConversationFile } from './conversation-file.dto.js';
import { ExportService } from './export.service.js';
import { ImportService } from './import.service.js';
import { ExportQuery } from './transfer.dto.js';
import { toFile } from './transfer.mapper.js';

@Scope('chat')
@ApiTags('conversations')
@Controller('api/v1/conversations')
export class TransferController {
  constructor(
    private readonly exports: ExportService,
    private readonly imports: ImportService,
  ) {}

  @Post('import')
  @HttpCode(201)
  @ApiOperation({
    summary: 'Import a conversation',
    description:
      'Accepts a file created by an export, up to `MAX_UPLOAD_MB` in size. All ids are new; the message tree and its active path are preserved. An import does not count as usage.',
  })
  @ApiBody({ schema: CONVERSATION_FILE_DOC })
  @ApiCreatedResponse({ type: ConversationBody, description: 'The imported conversation, owned by you.' })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'payload_too_large',
    'unsupported_media_type',
    'rate_limit_exceeded',
  )
  async import(
    @UserId() userId: string,
    @Body(new SchemaPipe<ConversationFile>(CONVERSATION_FILE)) file: ConversationFile,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ConversationBody> {
    const work = (signal: AbortSignal) => this.imports.import(userId, file, signal);
    return toConversationBody(await withClientSignal(response, work));
  }

  @Get(':id/export')
  @ApiOperation({
    summary: 'Export a conversation',
    description: 'Returns a file for download, streamed as you read it.',
  })
  @ApiOkResponse({
    description: 'The file.',
    content: {
      'application/json': { schema: CONVERSATION_FILE_DOC },
      'text/markdown': { schema: { type: 'string' } },
    },
  })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async export(
    @UserId() userId: string,
    @Param() { id }: IdParams,
    @Query() { format }: ExportQuery,
    @Res() response: Response,
  ): Promise<void> {
    await sendGeneratedDownload(response, toFile(await this.exports.beginExport(userId, id), format));
  }
}
