import { ApiProperty } from '@nestjs/swagger';

/** Pages of a document that were not sent to the model in full. */
export class OmittedPagesBody {
  @ApiProperty({ description: 'Id of the file.', format: 'uuid' })
  file_id!: string;

  @ApiProperty({ description: 'Name of the file.', example: 'report.pdf' })
  name!: string;

  @ApiProperty({
    description:
      'Numbers of the pages that were left out or cut, in ascending order. Formats without pages have one page.',
    type: 'array',
    items: { type: 'integer' },
    example: [41, 42],
  })
  pages!: number[];
}
