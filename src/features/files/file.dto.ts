import { ApiProperty } from '@nestjs/swagger';
import { EXTRACTION_FAILURES, type ExtractionFailure } from './extraction/extracted-text.js';
import { FILE_PURPOSES, RESULT_PURPOSES } from './file-purpose.js';

/** The reason for which a file has no text. */
export class FileTextErrorBody {
  @ApiProperty({ description: 'Code of the failure.', enum: EXTRACTION_FAILURES, example: 'encrypted' })
  code!: ExtractionFailure;

  @ApiProperty({ description: 'The reason, and what to do about it.' })
  message!: string;
}

/** An uploaded file. */
export class FileBody {
  @ApiProperty({ description: 'Id of the file.', format: 'uuid' })
  id!: string;

  @ApiProperty({
    description: 'File name as uploaded, without folders and control characters.',
    example: 'report.pdf',
  })
  name!: string;

  @ApiProperty({
    description:
      'Media type, detected from the content: that of an image or a PDF; for other UTF-8 text, the declared text type or `text/plain`; otherwise `application/octet-stream`.',
    example: 'application/pdf',
  })
  media_type!: string;

  @ApiProperty({ description: 'Size in bytes.', type: 'integer', example: 48213 })
  size!: number;

  @ApiProperty({
    description: 'Purpose of the file. `batch_output` is that of the results of batches.',
    enum: [...FILE_PURPOSES, ...RESULT_PURPOSES],
    example: 'user_data',
  })
  purpose!: string;

  @ApiProperty({
    description: 'State of the text of the file: being extracted, extracted, or not available.',
    enum: ['pending', 'ready', 'failed'],
  })
  text_status!: 'pending' | 'ready' | 'failed';

  @ApiProperty({
    description: 'Reason for which the file has no text; null unless `text_status` is `failed`.',
    type: FileTextErrorBody,
    nullable: true,
  })
  text_error!: FileTextErrorBody | null;

  @ApiProperty({ description: 'Time at which the file was uploaded.', format: 'date-time' })
  created_at!: string;

  @ApiProperty({
    description: 'Time at which the file is deleted; null if it is kept until you delete it.',
    type: 'string',
    format: 'date-time',
    nullable: true,
  })
  expires_at!: string | null;
}
