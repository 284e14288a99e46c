import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { ApiErrors, IdParams, Scope, sendJsonStream, UserId } from '../../../http/index.js';
import { EXTRACTION_FAILURES } from '../extraction/extracted-text.js';
import { FileTextBody, FileTextQuery } from './file-text.dto.js';
import { renderTextBody } from './file-text.mapper.js';
import { FileTextService } from './file-text.service.js';

@Scope('files')
@ApiTags('files')
@Controller('api/v1/files')
export class FileTextController {
  constructor(private readonly texts: FileTextService) {}

  @Get(':id/text')
  @ApiOperation({
    summary: 'Get the text of a file',
    description:
      'Returns the text that was extracted from the file, all pages or one. It does not wait: while the text is being extracted, the answer is 409 `not_ready` with `Retry-After`. If there is no text, the answer is 422 with the reason as code.',
  })
  @ApiOkResponse({ type: FileTextBody, description: 'The text.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found', 'not_ready', ...EXTRACTION_FAILURES)
  async text(
    @UserId() userId: string,
    @Param() { id }: IdParams,
    @Query() { page }: FileTextQuery,
    @Res() response: Response,
  ): Promise<void> {
    const text = await this.texts.openText(userId, id, page);
    await sendJsonStream(response, () => renderTextBody(text));
  }
}
