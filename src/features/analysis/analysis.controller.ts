import { Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import {
  ApiErrors,
  CurrentCaller,
  FileForm,
  FormRoute,
  IdempotencyKey,
  ModelRoute,
  type RequestExamples,
  Scope,
  UploadForm,
} from '../../http/index.js';
import { ApiAnswer } from '../chat/index.js';
import { AnalysisBody, ANALYSIS_FORM } from './analysis.dto.js';
import { AnalysisResponder } from './analysis-responder.js';

const ANALYSIS_REQUESTS = {
  file: {
    summary: 'One of your files',
    value: { file_id: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11', question: 'What is it about?' },
  },
} satisfies RequestExamples;

@Scope('chat')
@ApiTags('analysis')
@Controller('api/v1/analyze')
export class AnalysisController {
  constructor(private readonly analysis: AnalysisResponder) {}

  @Post('pdf')
  @HttpCode(200)
  @ModelRoute()
  @FormRoute('or_json')
  @ApiOperation({
    summary: 'Ask a question about a PDF',
    description:
      'A form with a PDF named `file` and text fields before or after it, or JSON (or a form) that names one of your files by `file_id`. The answer is a turn of a new conversation, streamed as on `/api/v1/chat/stream`: continue with `/api/v1/chat` and its `conversation_id`. A model that reads PDFs gets the document, any other its text with page numbers, as much as fits: `omitted_pages` in the first event lists the pages that were left out. Waits up to 30 seconds for the text of the document.',
    requestBody: {
      required: true,
      content: {
        'multipart/form-data': { schema: ANALYSIS_FORM },
        'application/json': { schema: { $ref: getSchemaPath(AnalysisBody) }, examples: ANALYSIS_REQUESTS },
      },
    },
  })
  @ApiExtraModels(AnalysisBody)
  @ApiAnswer()
  @ApiErrors(
    'payload_too_large',
    'storage_quota_exceeded',
    'unsupported_media_type',
    'not_ready',
    'encrypted',
    'no_text_layer',
    'damaged',
    'too_large',
    'too_many_pages',
    'timeout',
    'empty',
  )
  async analyze(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @FileForm() form: UploadForm,
    @Res() response: Response,
  ): Promise<void> {
    await this.analysis.answerQuestion(form, response, { caller, key });
  }
}
