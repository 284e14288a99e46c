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
    description: 'Name of the schema, shown to the model. Letters, digits, `_` and `-`, 1 to 64 characters.',
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
    description: 'Purpose of the answer, shown to the model.',
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

  @ApiPropertyOptional({ description: 'Whether the model must follow the schema exactly.' })
  @IsOptionalField()
  @IsBoolean()
  strict?: boolean;
}

/** The format that an answer must have. */
export class ResponseFormatBody {
  @ApiProperty({
    description:
      'Type of the format: `text`, `json_object` for any JSON object, or `json_schema` for JSON that matches a schema.',
    enum: ['text', 'json_object', 'json_schema'],
  })
  @IsIn(['text', 'json_object', 'json_schema'])
  type!: 'text' | 'json_object' | 'json_schema';

  @ApiPropertyOptional({
    description: 'Schema of the answer. Required if `type` is `json_schema`.',
    type: JsonSchemaFormatBody,
  })
  @ValidateIf(
    ({ type, json_schema: schema }: ResponseFormatBody) => type === 'json_schema' || schema !== undefined,
  )
  @ValidateNested()
  @Type(() => JsonSchemaFormatBody)
  @IsObject()
  json_schema?: JsonSchemaFormatBody;
}
