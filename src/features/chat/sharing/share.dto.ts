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
  @ApiProperty({ description: 'Token of the share.', maxLength: 200, example: 'zW3m…' })
  @MaxLength(200)
  @IsString()
  token!: string;
}

/** A share without its secret. */
export class ShareBody {
  @ApiProperty({ description: 'Id of the share.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'Title shown to readers.', example: 'Why is the sky blue?' })
  title!: string;

  @ApiProperty({ description: 'Last message that is shared.', format: 'uuid' })
  message_id!: string;

  @ApiProperty({ description: 'Time at which the conversation was shared.', format: 'date-time' })
  created_at!: string;
}

/** A newly created share. */
export class NewShareBody extends ShareBody {
  @ApiProperty({ description: 'Secret token of the link. It is shown only once.', example: 'zW3m…' })
  token!: string;

  @ApiProperty({
    description: 'Path on this server at which anyone with the token can read the share.',
    example: '/api/v1/shared/zW3m…',
  })
  path!: string;
}

/** A shared conversation, as anyone with the link sees it. */
export class SharedBody {
  @ApiProperty({
    description: 'Title of the conversation when it was shared.',
    example: 'Why is the sky blue?',
  })
  title!: string;

  @ApiProperty({ description: 'Time at which the conversation was shared.', format: 'date-time' })
  created_at!: string;
}

/** A shared message. */
export class SharedMessageBody {
  @ApiProperty({ description: 'Id of the message.', format: 'uuid' })
  id!: string;

  @ApiProperty({
    description: 'Author of the message.',
    enum: ['user', 'assistant', 'tool'],
    example: 'assistant',
  })
  role!: 'user' | 'assistant' | 'tool';

  @ApiProperty({ description: 'Text of the message.' })
  content!: string;

  @ApiProperty({
    description: 'Model that generated the answer.',
    type: String,
    nullable: true,
    example: 'demo/echo',
  })
  model!: string | null;

  @ApiPropertyOptional({
    description: 'Tool calls that the answer requests.',
    type: 'array',
    items: { type: 'object', additionalProperties: true },
  })
  tool_calls?: unknown;

  @ApiPropertyOptional({ description: 'For a tool result, the id of the call that it belongs to.' })
  tool_call_id?: string;

  @ApiProperty({ description: 'Time at which the message was stored.', format: 'date-time' })
  created_at!: string;
}
