import { ApiProperty } from '@nestjs/swagger';

/** An uploaded file. */
export class FileBody {
  @ApiProperty({ description: 'Id of the file.', format: 'uuid' })
  id!: string;

  @ApiProperty({
    description: 'Its name as it was sent, without folders and control characters.',
    example: 'report.pdf',
  })
  name!: string;

  @ApiProperty({
    description:
      'What it is, found from its bytes: an image or a PDF; for other text in UTF-8 the text type that was declared, or `text/plain`; else `application/octet-stream`.',
    example: 'application/pdf',
  })
  media_type!: string;

  @ApiProperty({ description: 'In bytes.', type: 'integer', example: 48213 })
  size!: number;

  @ApiProperty({ description: 'When it was uploaded.', format: 'date-time' })
  created_at!: string;
}
