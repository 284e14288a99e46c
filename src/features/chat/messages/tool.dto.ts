import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsBoolean, IsIn, IsObject, IsString, Length, Matches, ValidateNested } from 'class-validator';
import { IsOptionalField, IsPlainObject, IsPlainText } from '../../../http/index.js';
import { TOOL_NAME } from './is-tool-choice.js';
import { MAX_CALL_ID } from '../model/tool-calls.js';

/** A function that a model may call. */
export class ToolFunctionBody {
  @ApiProperty({
    description: 'Name of the function. Letters, digits, `_`, `.` and `-`, 1 to 64 characters.',
    minLength: 1,
    maxLength: 64,
    pattern: TOOL_NAME.source,
    example: 'get_weather',
  })
  @Matches(TOOL_NAME)
  @Length(1, 64)
  @IsString()
  name!: string;

  @ApiPropertyOptional({
    description: 'What the function does and when to call it.',
    maxLength: 10_000,
    example: 'The weather of a city.',
  })
  @IsOptionalField()
  @Length(0, 10_000)
  @IsPlainText()
  @IsString()
  description?: string;

  @ApiPropertyOptional({
    description: 'JSON schema of the arguments. If omitted, the function takes no arguments.',
    type: 'object',
    additionalProperties: true,
    example: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  })
  @IsOptionalField()
  @IsPlainObject()
  parameters?: Record<string, unknown>;

  @ApiPropertyOptional({ description: 'Whether the arguments must follow the schema exactly.' })
  @IsOptionalField()
  @IsBoolean()
  strict?: boolean;
}

/** A tool that a model may call. The client runs it. */
export class ToolBody {
  @ApiProperty({ description: 'Always `function`.', enum: ['function'] })
  @IsIn(['function'])
  type!: 'function';

  @ApiProperty({ description: 'Function that the model may call.', type: ToolFunctionBody })
  @ValidateNested()
  @Type(() => ToolFunctionBody)
  @IsObject()
  function!: ToolFunctionBody;
}

/** The result of a tool call. */
export class ToolResultBody {
  @ApiProperty({
    description: 'The `id` of the tool call.',
    minLength: 1,
    maxLength: MAX_CALL_ID,
    example: 'call_abc',
  })
  @Length(1, MAX_CALL_ID)
  @IsPlainText()
  @IsString()
  tool_call_id!: string;

  @ApiProperty({
    description: 'Result of the call as text or JSON; if the call failed, a description of the failure.',
    maxLength: 200_000,
    example: '{"celsius": 21}',
  })
  @Length(0, 200_000)
  @IsPlainText()
  @IsString()
  content!: string;
}

/** The function of a tool call. */
export class CalledFunctionBody {
  @ApiProperty({ description: 'Name of the function.', example: 'get_weather' })
  name!: string;

  @ApiProperty({
    description: 'Arguments as JSON, exactly as the model wrote it. Validate before use.',
    example: '{"city":"Oslo"}',
  })
  arguments!: string;
}

/** A tool call of an answer. */
export class ToolCallBody {
  @ApiProperty({ description: 'Id of the call, to send with its result.', example: 'call_abc' })
  id!: string;

  @ApiProperty({ description: 'Always `function`.', enum: ['function'] })
  type!: 'function';

  @ApiProperty({ description: 'The function and its arguments.', type: CalledFunctionBody })
  function!: CalledFunctionBody;
}
