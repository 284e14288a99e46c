import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { InvalidRequestError } from '../../common/errors.js';
import { type UploadForm, validateBody } from '../../http/index.js';
import { TurnResponder } from '../chat/index.js';
import { AnalysisBody } from './analysis.dto.js';
import { type AnalysisRequest, AnalysisService, type AnalyzedDocument } from './analysis.service.js';

/** Text fields of a form, all optional. */
const TEXT_FIELDS = ['file_id', 'question', 'model', 'stream', 'on_disconnect'] as const;

/** Maximum size of a text field, in bytes: a question of 5,000 characters. */
const MAX_FIELD_BYTES = 20_000;

/** Receives a document with its question and sends the answer. */
@Injectable()
export class AnalysisResponder {
  constructor(
    private readonly analysis: AnalysisService,
    private readonly responder: TurnResponder,
  ) {}

  /**
   * Answers the question about the document of a form, or of a JSON body.
   * @throws InvalidRequestError
   * @throws AppError as `AnalysisService` and `TurnResponder.sendAnswer` do
   */
  async answerQuestion(form: UploadForm, response: Response, request: AnalysisRequest): Promise<void> {
    const { document, body } = form.isForm
      ? await this.receiveForm(form, request)
      : toQuestion(await validateBody(AnalysisBody, form.json));
    const started = await this.analysis.ask(request, document, body);
    const { stream = true, on_disconnect } = body;
    return this.responder.sendAnswer(response, request.caller, started, {
      stream,
      ...(on_disconnect !== undefined && { on_disconnect }),
    });
  }

  private async receiveForm(form: UploadForm, request: AnalysisRequest): Promise<AnalysisQuestion> {
    const parts = {
      field: 'file',
      maxBytes: this.analysis.maxBytes,
      textFields: TEXT_FIELDS,
      maxFieldBytes: MAX_FIELD_BYTES,
    };
    const { kept: uploaded, fields } = await form.receiveOptional(parts, (file) =>
      this.analysis.storeDocument(request, file),
    );
    try {
      return toQuestion(await validateBody(AnalysisBody, toFields(fields)), uploaded);
    } catch (error) {
      if (uploaded !== undefined) await this.analysis.discard(request, uploaded);
      throw error;
    }
  }
}

/** A question and the document that it is about. */
interface AnalysisQuestion {
  readonly document: AnalyzedDocument;
  readonly body: AnalysisBody;
}

/** @throws InvalidRequestError unless there is exactly one document */
function toQuestion(body: AnalysisBody, uploaded?: AnalyzedDocument): AnalysisQuestion {
  const { file_id: fileId } = body;
  if (uploaded !== undefined && fileId !== undefined)
    throw invalid('file_id', 'must not be sent together with a file');
  if (uploaded !== undefined) return { document: uploaded, body };
  if (fileId === undefined)
    throw invalid('file_id', 'is required: name a PDF among your files, or send a form with a file');
  return { document: { kind: 'file', fileId }, body };
}

/** Converts the text fields of a form to those of a JSON body. */
function toFields(fields: ReadonlyMap<string, string>): Record<string, unknown> {
  const values = new Map<string, unknown>(fields);
  const stream = fields.get('stream');
  if (stream === 'true' || stream === 'false') values.set('stream', stream === 'true');
  return Object.fromEntries(values);
}

function invalid(field: string, problem: string): InvalidRequestError {
  const message = `${field} ${problem}`;
  return new InvalidRequestError(`${message}.`, [{ field, message }]);
}
