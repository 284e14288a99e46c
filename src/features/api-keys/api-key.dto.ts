import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsString, Length } from 'class-validator';
import { IsNotBlank, IsOptionalField, IsPlainText, SCOPES } from '../../http/index.js';
import { IsTime } from './is-time.js';

const SCOPES_MEANING =
  'Scopes of the key: `chat` (turns, conversations, the compatible routes), `files`, `rag`, `batch` (batches of both APIs, whose requests call models), `admin` (the account itself, and what its role allows).';

/** An API key to be created. */
export class CreateApiKeyBody {
  @ApiProperty({
    description: 'Name of the key.',
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
    description: 'Time at which the key expires, with an offset from UTC; null for never.',
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

  @ApiProperty({ description: 'Name of the key.', example: 'Nightly report' })
  name!: string;

  @ApiProperty({ description: 'First characters of the key.', example: 'pk_4lB2xQ9z' })
  prefix!: string;

  @ApiProperty({ description: SCOPES_MEANING, enum: SCOPES, isArray: true, example: ['chat'] })
  scopes!: string[];

  @ApiProperty({
    description: 'Time at which the key expires; null for never.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  expires_at!: string | null;

  @ApiProperty({
    description: 'Time at which the key was last used, to the minute; null if never.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  last_used_at!: string | null;

  @ApiProperty({ description: 'Time at which the key was created.', format: 'date-time' })
  created_at!: string;
}

/** A newly created API key. */
export class NewApiKeyBody extends ApiKeyBody {
  @ApiProperty({
    description: 'API key, shown only once. Send it as `Authorization: Bearer <key>` or as `X-API-Key`.',
    example: 'pk_4lB2xQ9z…',
  })
  key!: string;
}
