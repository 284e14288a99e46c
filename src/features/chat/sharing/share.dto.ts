import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsString, IsUUID, MaxLength } from 'class-validator';
import { IdParams } from '../../../http/index.js';

/** Path parameters that identify a share. */
export class ShareParams extends IdParams {
  @ApiProperty({ description: 'Id of the share.', format: 'uuid' })
  @IsUUID()
  share_id!: string;
}

/** The secret token of a share link in the path. */
export class TokenParams {
  @ApiProperty({ description: 'The token of the share.', maxLength: 200, example: 'zW3m…' })
  @MaxLength(200)
  @IsString()
  token!: string;
}

/** A share without its secret. */
export class ShareBody {
  @ApiProperty({ description: 'Id of the share.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'The title that it shows.', example: 'Why is the sky blue?' })
  title!: string;

  @ApiProperty({ description: 'The last message that it shows.', format: 'uuid' })
  message_id!: string;

  @ApiProperty({ description: 'When it was shared.', format: 'date-time' })
  created_at!: string;
}

/** A newly created share. */
export class NewShareBody extends ShareBody {
  @ApiProperty({ description: 'The secret of the link. It is told this once.', example: 'zW3m…' })
  token!: string;

  @ApiProperty({
    description: 'Where anybody who has the token reads it, on this server.',
    example: '/api/v1/shared/zW3m…',
  })
  path!: string;
}

/** A shared conversation, as anyone with the link sees it. */
export class SharedBody {
  @ApiProperty({ description: 'The title when it was shared.', example: 'Why is the sky blue?' })
  title!: string;

  @ApiProperty({ description: 'When it was shared.', format: 'date-time' })
  created_at!: string;
}

/** A shared message. */
export class SharedMessageBody {
  @ApiProperty({ description: 'Id of the message.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'Who said it.', enum: ['user', 'assistant', 'tool'], example: 'assistant' })
  role!: 'user' | 'assistant' | 'tool';

  @ApiProperty({ description: 'The text.' })
  content!: string;

  @ApiProperty({
    description: 'The model that answered.',
    type: String,
    nullable: true,
    example: 'demo/echo',
  })
  model!: string | null;

  @ApiPropertyOptional({
    description: 'The calls of tools that it asks for.',
    type: 'array',
    items: { type: 'object', additionalProperties: true },
  })
  tool_calls?: unknown;

  @ApiPropertyOptional({ description: 'The call that it is the result of.' })
  tool_call_id?: string;

  @ApiProperty({ description: 'When it was stored.', format: 'date-time' })
  created_at!: string;
}
