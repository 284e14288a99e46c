import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { FILE_PURPOSES, RESULT_PURPOSES } from '../../features/files/index.js';
import { IsPlainText } from '../../http/index.js';

/** Maximum number of files in one list, as in OpenAI's API. */
const MAX_LIST = 10_000;

/** Query parameters of the list of files. */
export class FileListQuery {
  @ApiPropertyOptional({
    description: 'Maximum number of files, 1 to 10,000.',
    type: 'integer',
    minimum: 1,
    maximum: MAX_LIST,
    default: MAX_LIST,
  })
  @IsOptional()
  @Type(() => Number)
  @Max(MAX_LIST)
  @Min(1)
  @IsInt()
  limit = MAX_LIST;

  @ApiPropertyOptional({
    description: 'Order by the time of upload.',
    enum: ['asc', 'desc'],
    default: 'desc',
  })
  @IsOptional()
  @IsIn(['asc', 'desc'])
  order: 'asc' | 'desc' = 'desc';

  @ApiPropertyOptional({ description: 'Id of the last file of the previous page.', maxLength: 64 })
  @IsOptional()
  @MaxLength(64)
  @IsString()
  after?: string;

  @ApiPropertyOptional({ description: 'Only files of this purpose.', example: 'batch', maxLength: 64 })
  @IsOptional()
  @MaxLength(64)
  @IsPlainText()
  @IsString()
  purpose?: string;
}

/** A file in OpenAI's format. */
export class OpenAiFileBody {
  @ApiProperty({
    description: 'Id of the file; the native routes use its digits as a UUID.',
    example: 'file-01a1ff5639c173d3a3f4d1a2b3c4d5e6',
  })
  id!: string;

  @ApiProperty({ description: 'Always `file`.', enum: ['file'], example: 'file' })
  object!: 'file';

  @ApiProperty({ description: 'Size in bytes.', type: 'integer', example: 48213 })
  bytes!: number;

  @ApiProperty({ description: 'Unix timestamp, in seconds.', type: 'integer', example: 1_790_000_000 })
  created_at!: number;

  @ApiPropertyOptional({
    description: 'Unix timestamp at which the file is deleted, in seconds; absent if it does not expire.',
    type: 'integer',
    example: 1_790_003_600,
  })
  expires_at?: number;

  @ApiProperty({ description: 'File name as uploaded.', example: 'report.pdf' })
  filename!: string;

  @ApiProperty({
    description: 'Purpose of the file. `batch_output` is that of the results of batches.',
    enum: [...FILE_PURPOSES, ...RESULT_PURPOSES],
    example: 'user_data',
  })
  purpose!: string;

  @ApiProperty({
    description:
      'State of its text: `uploaded` while it is being extracted, `error` if that failed, otherwise `processed`.',
    enum: ['uploaded', 'processed', 'error'],
  })
  status!: 'uploaded' | 'processed' | 'error';

  @ApiPropertyOptional({ description: 'Reason for which the text could not be extracted.' })
  status_details?: string;
}

/** The list of files in OpenAI's format. */
export class OpenAiFileListBody {
  @ApiProperty({ description: 'Always `list`.', enum: ['list'], example: 'list' })
  object!: 'list';

  @ApiProperty({ description: 'Files, newest first unless `order` is `asc`.', type: [OpenAiFileBody] })
  data!: OpenAiFileBody[];

  @ApiProperty({ description: 'Id of the first file; null if there is none.', type: String, nullable: true })
  first_id!: string | null;

  @ApiProperty({
    description: 'Id of the last file, to send as `after` for the next page; null if there is none.',
    type: String,
    nullable: true,
  })
  last_id!: string | null;

  @ApiProperty({ description: 'Whether there is another page.' })
  has_more!: boolean;
}

/** The confirmation of a deletion in OpenAI's format. */
export class OpenAiFileDeletedBody {
  @ApiProperty({ description: 'Id of the file.', example: 'file-01a1ff5639c173d3a3f4d1a2b3c4d5e6' })
  id!: string;

  @ApiProperty({ description: 'Always `file`.', enum: ['file'], example: 'file' })
  object!: 'file';

  @ApiProperty({ description: 'Always true.', example: true })
  deleted!: boolean;
}
