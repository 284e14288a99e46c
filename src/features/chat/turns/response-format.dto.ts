import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsObject,
  IsString,
  Length,
  Matches,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { IsOptionalField, IsPlainObject, IsPlainText } from '../../../http/index.js';

/** Characters that OpenAI allows in a schema name. */
const SCHEMA_NAME = /^[\w-]+$/;

/** A JSON schema that an answer must match. */
export class JsonSchemaFormatBody {
  @ApiProperty({
    description: 'Name of the schema, which models read.',
    minLength: 1,
    maxLength: 64,
    pattern: SCHEMA_NAME.source,
    example: 'city',
  })
  @Matches(SCHEMA_NAME)
  @Length(1, 64)
  @IsString()
  name!: string;

  @ApiPropertyOptional({
    description: 'Purpose of the answer, which models read.',
    maxLength: 10_000,
    example: 'A city and its country.',
  })
  @IsOptionalField()
  @Length(0, 10_000)
  @IsPlainText()
  @IsString()
  description?: string;

  @ApiProperty({
    description:
      'JSON Schema (draft 2020-12) of at most 16,384 characters, without references to other documents. `pattern`, `patternProperties` and `uniqueItems` are sent to the model, but not checked in its answer.',
    type: 'object',
    additionalProperties: true,
    example: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  })
  @IsPlainObject()
  @IsObject()
  schema!: Record<string, unknown>;

  @ApiPropertyOptional({ description: 'Whether the model has to follow the schema exactly.' })
  @IsOptionalField()
  @IsBoolean()
  strict?: boolean;
}

/** The format that an answer must have. */
export class ResponseFormatBody {
  @ApiProperty({
    description: '`json_object` for any JSON object, `json_schema` for JSON that fits a schema.',
    enum: ['text', 'json_object', 'json_schema'],
  })
  @IsIn(['text', 'json_object', 'json_schema'])
  type!: 'text' | 'json_object' | 'json_schema';

  @ApiPropertyOptional({ description: 'Required for `json_schema`.', type: JsonSchemaFormatBody })
  @ValidateIf(
    ({ type, json_schema: schema }: ResponseFormatBody) => type === 'json_schema' || schema !== undefined,
  )
  @ValidateNested()
  @Type(() => JsonSchemaFormatBody)
  @IsObject()
  json_schema?: JsonSchemaFormatBody;
}
