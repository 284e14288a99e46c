import { ApiProperty, ApiPropertyOptional, PickType } from '@nestjs/swagger';
import { IsBoolean, IsString, IsUUID, Length } from 'class-validator';
import { IsNotBlank, IsOptionalField, IsPlainText, type SchemaObject } from '../../http/index.js';
import { GenerationBody } from '../chat/index.js';

/** Question for a document if the request has none. */
export const DEFAULT_QUESTION = 'Summarize this document.';

/** A question about a PDF. */
export class AnalysisBody extends PickType(GenerationBody, ['model', 'on_disconnect']) {
  // Optional for the validation, because a form may have a file instead.
  @ApiProperty({
    description: 'Id of a PDF among your files. A form may have a `file` instead.',
    format: 'uuid',
  })
  @IsOptionalField()
  @IsUUID()
  file_id?: string;

  @ApiPropertyOptional({
    description: 'Question about the document, 1 to 5,000 characters. Must not be blank.',
    minLength: 1,
    maxLength: 5000,
    default: DEFAULT_QUESTION,
    example: 'Which deadlines does the contract name?',
  })
  @IsOptionalField()
  @IsNotBlank()
  @Length(1, 5000)
  @IsPlainText()
  @IsString()
  question?: string;

  @ApiPropertyOptional({
    description: 'Whether the answer is streamed; otherwise the response is the finished answer as JSON.',
    default: true,
  })
  @IsOptionalField()
  @IsBoolean()
  stream?: boolean;
}

/** Schema of the form: a file and the fields of the JSON body as text. */
export const ANALYSIS_FORM = {
  type: 'object',
  properties: {
    file: {
      type: 'string',
      format: 'binary',
      description: 'PDF to upload, at most `MAX_UPLOAD_MB` megabytes (32 by default).',
    },
    file_id: {
      type: 'string',
      format: 'uuid',
      description: 'Instead of `file`: id of a PDF among your files.',
    },
    question: {
      type: 'string',
      minLength: 1,
      maxLength: 5000,
      default: DEFAULT_QUESTION,
      description: 'Question about the document.',
    },
    model: { type: 'string', maxLength: 256, description: 'Model; by default the server’s.' },
    stream: {
      type: 'string',
      enum: ['true', 'false'],
      default: 'true',
      description: 'Whether the answer is streamed.',
    },
    on_disconnect: {
      type: 'string',
      enum: ['continue', 'cancel'],
      default: 'continue',
      description: 'What happens to an unfinished answer when the client disconnects.',
    },
  },
} satisfies SchemaObject;
