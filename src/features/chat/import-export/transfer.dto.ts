import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { type Format, FORMATS } from './transfer.mapper.js';

/** Export options. */
export class ExportQuery {
  @ApiPropertyOptional({
    description:
      'File format: `json` contains all branches and can be imported; `markdown` contains the active path, for reading.',
    enum: FORMATS,
    default: 'json',
  })
  @IsOptional()
  @IsIn(FORMATS)
  format: Format = 'json';
}
