import { applyDecorators, type Type } from '@nestjs/common';
import {
  ApiExtraModels,
  ApiOkResponse,
  ApiProperty,
  ApiPropertyOptional,
  getSchemaPath,
} from '@nestjs/swagger';
import { Type as TransformTo } from 'class-transformer';
import { IsInt, IsOptional, IsUUID, Max, Min } from 'class-validator';

/** Query parameters that select a page of a list. */
export class PageQuery {
  @ApiPropertyOptional({
    description: 'Maximum number of entries, 1 to 100.',
    type: 'integer',
    minimum: 1,
    maximum: 100,
    default: 20,
  })
  @IsOptional()
  @TransformTo(() => Number)
  @Max(100)
  @Min(1)
  @IsInt()
  limit = 20;

  @ApiPropertyOptional({
    description: 'Id of the last entry of the previous page; the page begins after it.',
    format: 'uuid',
  })
  @IsOptional()
  @IsUUID()
  after?: string;

  /** Returns what to read for this page: one entry more than is shown, to detect whether there are more. */
  slice(): { readonly limit: number; readonly after: string | undefined } {
    return { limit: this.limit + 1, after: this.after };
  }
}

/** The id in a path. */
export class IdParams {
  @ApiProperty({ description: 'Id, as shown in the list.', format: 'uuid' })
  @IsUUID()
  id!: string;
}

/** A page of a list, in the format of OpenAI's pagination. */
export interface Page<Entry> {
  readonly object: 'list';
  readonly data: Entry[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

/** Builds a page from rows, of which one more than requested was read to detect whether there are more. */
export function toPage<Row extends { readonly id: string }, Entry>(
  rows: readonly Row[],
  limit: number,
  toEntry: (row: Row) => Entry,
): Page<Entry> {
  const shown = rows.slice(0, limit);
  return {
    object: 'list',
    data: shown.map(toEntry),
    first_id: shown[0]?.id ?? null,
    last_id: shown.at(-1)?.id ?? null,
    has_more: rows.length > limit,
  };
}

/** Documents a page of entries as the successful response. */
export function ApiPage(entry: Type): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(entry),
    ApiOkResponse({
      description: 'A page of the list.',
      schema: {
        type: 'object',
        required: ['object', 'data', 'first_id', 'last_id', 'has_more'],
        properties: {
          object: { type: 'string', enum: ['list'], description: 'Always `list`.' },
          data: {
            type: 'array',
            items: { $ref: getSchemaPath(entry) },
            description: 'Entries, in the order of the list.',
          },
          first_id: {
            type: 'string',
            format: 'uuid',
            nullable: true,
            description: 'Id of the first entry; null if the page is empty.',
          },
          last_id: {
            type: 'string',
            format: 'uuid',
            nullable: true,
            description:
              'Id of the last entry, to send as `after` for the next page; null if the page is empty.',
          },
          has_more: { type: 'boolean', description: 'Whether there is another page.' },
        },
      },
    }),
  );
}
