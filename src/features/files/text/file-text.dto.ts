import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type as TransformTo } from 'class-transformer';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { PAGE_WARNINGS, type PageWarning } from '../extraction/extracted-text.js';

/** Largest number of a page that PostgreSQL stores. */
const MAX_PAGE = 2 ** 31 - 1;

/** Query parameters of the text of a file. */
export class FileTextQuery {
  @ApiPropertyOptional({
    description: 'Number of the only page to return, from 1; without it, all pages.',
    type: 'integer',
    minimum: 1,
    maximum: MAX_PAGE,
  })
  @IsOptional()
  @TransformTo(() => Number)
  @Max(MAX_PAGE)
  @Min(1)
  @IsInt()
  page?: number;
}

/** A page of the text of a file. */
export class FileTextPageBody {
  @ApiProperty({ description: 'Number of the page, from 1.', type: 'integer', example: 1 })
  page!: number;

  @ApiProperty({ description: 'Text of the page, in Unicode normalization form C.' })
  text!: string;

  @ApiProperty({
    description: 'Problems of the page: `no_text_layer` if it is an image.',
    enum: PAGE_WARNINGS,
    isArray: true,
  })
  warnings!: PageWarning[];
}

/** A problem of some pages. */
export class FileTextWarningBody {
  @ApiProperty({ description: 'Kind of the problem.', enum: PAGE_WARNINGS })
  code!: PageWarning;

  @ApiProperty({
    description: 'Numbers of the pages, in ascending order.',
    type: 'array',
    items: { type: 'integer' },
  })
  pages!: number[];
}

/** The text of a file. */
export class FileTextBody {
  @ApiProperty({
    description: 'Number of pages of the whole file; files of formats without pages have one.',
    type: 'integer',
    example: 12,
  })
  page_count!: number;

  @ApiProperty({ description: 'Problems of the returned pages.', type: [FileTextWarningBody] })
  warnings!: FileTextWarningBody[];

  @ApiProperty({
    description: 'The page that was requested, or all pages in order.',
    type: [FileTextPageBody],
  })
  pages!: FileTextPageBody[];
}
