import { SourceBody } from '../../rag/index.js';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsUUID } from 'class-validator';
import { IdParams, PageQuery } from '../../../http/index.js';
import { OmittedPagesBody } from './omitted-pages.dto.js';
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
      '`active`: the path on which the conversation continues. `all`: the whole tree, including replaced questions and answers.',
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
    description: 'Stable error code; `interrupted` if the server stopped.',
    example: 'interrupted',
  })
  code!: string;

  @ApiProperty({
    description: 'Human-readable description of what happened and what to do.',
    example: 'The server stopped while it generated this answer.',
  })
  message!: string;
}

/** A file that was attached to a message. */
export class AttachmentBody {
  @ApiProperty({
    description: 'Id of the file; null if it has since been deleted.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  file_id!: string | null;

  @ApiProperty({ description: 'Name of the file.', example: 'report.pdf' })
  name!: string;

  @ApiProperty({ description: 'Media type of the file.', example: 'application/pdf' })
  media_type!: string;
}

/** A message in a conversation. */
export class MessageBody {
  @ApiProperty({ description: 'Id of the message.', format: 'uuid' })
  id!: string;

  @ApiProperty({
    description: 'Author of the message.',
    enum: ['user', 'assistant', 'tool'],
    example: 'assistant',
  })
  role!: 'user' | 'assistant' | 'tool';

  @ApiProperty({
    description:
      'Text of the message. For an answer that is being generated or was interrupted, the part stored so far.',
  })
  content!: string;

  @ApiPropertyOptional({
    description: 'Tool calls that the answer requests.',
    type: [ToolCallBody],
  })
  tool_calls?: ToolCallBody[];

  @ApiPropertyOptional({
    description: 'For a tool result, the id of the call that it belongs to.',
    example: 'call_abc',
  })
  tool_call_id?: string;

  @ApiProperty({
    description: 'Status of the message.',
    enum: ['generating', 'complete', 'interrupted', 'failed'],
    example: 'complete',
  })
  status!: 'generating' | 'complete' | 'interrupted' | 'failed';

  @ApiProperty({
    description: 'Id of the message that this one follows.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  parent_id!: string | null;

  @ApiProperty({
    description: 'Whether the message is on the path on which the conversation continues.',
    example: true,
  })
  active!: boolean;

  @ApiPropertyOptional({
    description:
      'In lists, the previous message with the same parent (for example, the answer that this one replaced); null if there is none.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  previous_sibling_id?: string | null;

  @ApiPropertyOptional({
    description: 'In lists, the next message with the same parent; null if there is none.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  next_sibling_id?: string | null;

  @ApiProperty({
    description: 'Model that generated the answer.',
    type: String,
    nullable: true,
    example: 'demo/echo',
  })
  model!: string | null;

  @ApiProperty({
    description: 'Token usage of the answer; null for user messages.',
    type: UsageBody,
    nullable: true,
  })
  usage!: UsageBody | null;

  @ApiProperty({
    description: 'Estimated cost in US dollars; null if the price is unknown.',
    type: Number,
    nullable: true,
    example: 0.000123,
  })
  cost_estimate!: number | null;

  @ApiProperty({ description: 'Why the answer ended.', type: String, nullable: true, example: 'stop' })
  finish_reason!: string | null;

  @ApiProperty({
    description: 'Files sent with the message, in the order in which they were given.',
    type: [AttachmentBody],
  })
  attachments!: AttachmentBody[];

  @ApiPropertyOptional({
    type: MessageErrorBody,
    description: 'Present only if the answer was interrupted or failed.',
  })
  error?: MessageErrorBody;

  @ApiPropertyOptional({
    description: 'Present only if part of the answer could not be parsed and may be missing.',
  })
  warning?: string;

  @ApiPropertyOptional({
    description:
      'Pages of attached documents that were left out for this answer because they did not fit. Present only if there are any.',
    type: [OmittedPagesBody],
  })
  omitted_pages?: OmittedPagesBody[];

  @ApiPropertyOptional({
    description:
      'Sources of an answer that is based on collections, in lists of messages. The texts of those that were deleted, or are no longer shared with you, are null.',
    type: [SourceBody],
  })
  sources?: SourceBody[];

  @ApiPropertyOptional({
    description: 'Those of the sources that the answer cites. Present together with `sources`.',
    type: [SourceBody],
  })
  citations?: SourceBody[];

  @ApiProperty({ description: 'Time at which the message was stored.', format: 'date-time' })
  created_at!: string;
}
