import { ApiProperty } from '@nestjs/swagger';

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

  @ApiProperty({ description: 'Time at which the file was uploaded.', format: 'date-time' })
  created_at!: string;
}
