import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsString, Length } from 'class-validator';
import { IsNotBlank, IsOptionalField, IsPlainText, SCOPES } from '../../http/index.js';
import { IsTime } from './is-time.js';

const SCOPES_MEANING =
  'What the key may be used for: `chat` (turns, conversations, the compatible routes), `files`, `rag`, `batch`, `admin` (the account itself, and what its role allows).';

/** An API key to be created. */
export class CreateApiKeyBody {
  @ApiProperty({
    description: 'What you call it.',
    minLength: 1,
    maxLength: 100,
    example: 'Nightly report',
  })
  @IsNotBlank()
  @Length(1, 100)
  @IsPlainText()
  @IsString()
  name!: string;

  @ApiPropertyOptional({
    description: SCOPES_MEANING,
    enum: SCOPES,
    isArray: true,
    minItems: 1,
    maxItems: 5,
    default: ['chat'],
    example: ['chat'],
  })
  @IsOptionalField()
  @IsIn(SCOPES, { each: true })
  @ArrayMaxSize(5)
  @ArrayMinSize(1)
  @IsArray()
  scopes?: string[];

  @ApiPropertyOptional({
    description: 'When it stops to work, with an offset from UTC; null for never.',
    type: String,
    format: 'date-time',
    nullable: true,
    default: null,
    example: '2027-11-21T08:00:00.000Z',
  })
  @IsOptionalField()
  @IsTime()
  expires_at?: string | null;
}

/** An API key without its secret. */
export class ApiKeyBody {
  @ApiProperty({ description: 'Id of the key.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'What you call it.', example: 'Nightly report' })
  name!: string;

  @ApiProperty({ description: 'How the key begins.', example: 'pk_4lB2xQ9z' })
  prefix!: string;

  @ApiProperty({ description: SCOPES_MEANING, enum: SCOPES, isArray: true, example: ['chat'] })
  scopes!: string[];

  @ApiProperty({
    description: 'When it stops to work; null for never.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  expires_at!: string | null;

  @ApiProperty({
    description: 'When it was used last, to the minute; null for never.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  last_used_at!: string | null;

  @ApiProperty({ description: 'When it was made.', format: 'date-time' })
  created_at!: string;
}

/** A newly created API key. */
export class NewApiKeyBody extends ApiKeyBody {
  @ApiProperty({
    description:
      'The key. It is shown this once: send it as `Authorization: Bearer <key>` or as `X-API-Key`.',
    example: 'pk_4lB2xQ9z…',
  })
  key!: string;
}
