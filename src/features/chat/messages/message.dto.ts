import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsUUID } from 'class-validator';
import { IdParams, PageQuery } from '../../../http/index.js';
import { UsageBody } from './usage.dto.js';
import { ToolCallBody } from './tool.dto.js';

/** Path parameters that identify a message. */
export class MessageParams extends IdParams {
  @ApiProperty({ description: 'Id of the message.', format: 'uuid' })
  @IsUUID()
  message_id!: string;
}

/** Filters for a list of messages. */
export class MessagesQuery extends PageQuery {
  @ApiPropertyOptional({
    description:
      '`active`: the path that the conversation goes on from. `all`: the whole tree, answers and questions that were replaced included.',
    enum: ['active', 'all'],
    default: 'active',
  })
  @IsOptional()
  @IsIn(['active', 'all'])
  branches: 'active' | 'all' = 'active';
}

/** The reason why an answer is not complete. */
export class MessageErrorBody {
  @ApiProperty({
    description: 'Stable code; `interrupted` where the server stopped.',
    example: 'interrupted',
  })
  code!: string;

  @ApiProperty({
    description: 'What happened and what to do.',
    example: 'The server stopped while it generated this answer.',
  })
  message!: string;
}

/** A file that was attached to a message. */
export class AttachmentBody {
  @ApiProperty({
    description: 'Id of the file; null where it has been deleted since.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  file_id!: string | null;

  @ApiProperty({ description: 'Its name.', example: 'report.pdf' })
  name!: string;

  @ApiProperty({ description: 'What it is.', example: 'application/pdf' })
  media_type!: string;
}

/** A message in a conversation. */
export class MessageBody {
  @ApiProperty({ description: 'Id of the message.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'Who said it.', enum: ['user', 'assistant', 'tool'], example: 'assistant' })
  role!: 'user' | 'assistant' | 'tool';

  @ApiProperty({
    description:
      'The text; of an answer that is being generated or was interrupted, what is stored of it so far.',
  })
  content!: string;

  @ApiPropertyOptional({
    description: 'The calls of tools that the answer asks for.',
    type: [ToolCallBody],
  })
  tool_calls?: ToolCallBody[];

  @ApiPropertyOptional({
    description: 'Of the result of a tool: the call that it is of.',
    example: 'call_abc',
  })
  tool_call_id?: string;

  @ApiProperty({
    description: 'What became of it.',
    enum: ['generating', 'complete', 'interrupted', 'failed'],
    example: 'complete',
  })
  status!: 'generating' | 'complete' | 'interrupted' | 'failed';

  @ApiProperty({
    description: 'The message that this one follows.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  parent_id!: string | null;

  @ApiProperty({
    description: 'Whether it is on the path that the conversation goes on from.',
    example: true,
  })
  active!: boolean;

  @ApiPropertyOptional({
    description:
      'In lists: the message before this one that follows the same message (the answer that this one replaced, say); null where there is none.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  previous_sibling_id?: string | null;

  @ApiPropertyOptional({
    description:
      'In lists: the message after this one that follows the same message; null where there is none.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  next_sibling_id?: string | null;

  @ApiProperty({
    description: 'The model that answered.',
    type: String,
    nullable: true,
    example: 'demo/echo',
  })
  model!: string | null;

  @ApiProperty({ description: 'Null for what users wrote.', type: UsageBody, nullable: true })
  usage!: UsageBody | null;

  @ApiProperty({
    description: 'US dollars; null where no price is known.',
    type: Number,
    nullable: true,
    example: 0.000123,
  })
  cost_estimate!: number | null;

  @ApiProperty({ description: 'Why the answer ended.', type: String, nullable: true, example: 'stop' })
  finish_reason!: string | null;

  @ApiProperty({
    description: 'Files that it was sent with, in the order in which they were named.',
    type: [AttachmentBody],
  })
  attachments!: AttachmentBody[];

  @ApiPropertyOptional({
    type: MessageErrorBody,
    description: 'There where the answer is interrupted or failed.',
  })
  error?: MessageErrorBody;

  @ApiPropertyOptional({
    description: 'There where a part of the answer could not be read and may be missing.',
  })
  warning?: string;

  @ApiProperty({ description: 'When it was stored.', format: 'date-time' })
  created_at!: string;
}
