import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { type Format, FORMATS } from './transfer.mapper.js';

/** Export options. */
export class ExportQuery {
  @ApiPropertyOptional({
    description:
      '`json` with all branches, which can be imported; `markdown` with the active path, to be read.',
    enum: FORMATS,
    default: 'json',
  })
  @IsOptional()
  @IsIn(FORMATS)
  format: Format = 'json';
}
