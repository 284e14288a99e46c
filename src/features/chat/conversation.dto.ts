import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsOptional, IsString, IsUUID, Length } from 'class-validator';
import { IdParams, IsNotBlank, IsOptionalField, IsPlainText, PageQuery } from '../../http/index.js';
import { UsageBody } from './chat.dto.js';
import { type Compaction, COMPACTIONS } from './compaction.js';
import { SummaryBody } from './summary.dto.js';
import { ToolCallBody } from './tool.dto.js';

/** Most characters of a title. */
export const MAX_TITLE = 200;

/** Most characters of a system prompt. */
export const MAX_SYSTEM_PROMPT = 1000;

/** Which conversations are wanted. */
export class ConversationsQuery extends PageQuery {
  @ApiPropertyOptional({
    description:
      'Only those in whose title, or in one of whose messages, all these words are, the last one as the beginning of a word. Case and diacritics do not count.',
    minLength: 1,
    maxLength: 200,
    example: 'blue sky',
  })
  @IsOptional()
  @Length(1, 200)
  @IsPlainText()
  @IsString()
  q?: string;

  @ApiPropertyOptional({
    description:
      'True for the archived ones, false for the others. Without it a list leaves the archived ones out, and a search has both.',
    enum: ['true', 'false'],
  })
  @IsOptional()
  @IsIn(['true', 'false'])
  archived?: 'true' | 'false';

  @ApiPropertyOptional({
    description: 'Only the pinned ones. All of them without it.',
    enum: ['true'],
  })
  @IsOptional()
  @IsIn(['true'])
  pinned?: 'true';
}

/** What is to change of a conversation; what is left out stays as it is. */
export class UpdateConversationBody {
  @ApiPropertyOptional({
    description: 'What you call it. No model finds another title from then on.',
    minLength: 1,
    maxLength: MAX_TITLE,
    example: 'The colour of the sky',
  })
  @IsOptionalField()
  @IsNotBlank()
  @Length(1, MAX_TITLE)
  @IsPlainText()
  @IsString()
  title?: string;

  @ApiPropertyOptional({ description: 'Out of the list, or back into it.', example: true })
  @IsOptionalField()
  @IsBoolean()
  archived?: boolean;

  @ApiPropertyOptional({ description: 'Onto the list of pinned ones, or off it.', example: true })
  @IsOptionalField()
  @IsBoolean()
  pinned?: boolean;

  @ApiPropertyOptional({
    description: 'How the model is to behave from the next turn on; null for no prompt.',
    type: String,
    nullable: true,
    minLength: 1,
    maxLength: MAX_SYSTEM_PROMPT,
    example: 'You are a patient teacher.',
  })
  @IsOptional()
  @Length(1, MAX_SYSTEM_PROMPT)
  @IsPlainText()
  @IsString()
  system_prompt?: string | null;
}

/** A conversation. */
export class ConversationBody {
  @ApiProperty({ description: 'Id of the conversation.', format: 'uuid' })
  id!: string;

  @ApiProperty({
    description:
      'The first words of the first message, until somebody or a model (`TITLE_MODEL`) finds a better one.',
    example: 'Why is the sky blue?',
  })
  title!: string;

  @ApiProperty({ description: 'Whether the list leaves it out.', example: false })
  archived!: boolean;

  @ApiProperty({ description: 'Whether it is kept at hand, on a list of its own.', example: false })
  pinned!: boolean;

  @ApiProperty({ description: 'How the model is to behave.', type: String, nullable: true, example: null })
  system_prompt!: string | null;

  @ApiProperty({
    description: 'What becomes of messages that no longer fit into what the model is told.',
    enum: COMPACTIONS,
    example: 'none',
  })
  compaction!: Compaction;

  @ApiProperty({
    description:
      'With `compaction: summary`: what the model is told in place of the older messages of the active path; null where there is none yet.',
    type: SummaryBody,
    nullable: true,
    example: null,
  })
  summary!: SummaryBody | null;

  @ApiProperty({
    description: 'The end of the active path: the message that the next one follows.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  active_message_id!: string | null;

  @ApiProperty({
    description: 'Tokens of all attempts at an answer, failed ones included.',
    type: 'integer',
    example: 46,
  })
  tokens_used!: number;

  @ApiProperty({
    description:
      'US dollars for all attempts whose price is known; null where no such attempt cost anything.',
    type: Number,
    nullable: true,
    example: 0.000123,
  })
  cost_estimate!: number | null;

  @ApiProperty({
    description: 'Attempts that `cost_estimate` leaves out, because the price of their model is not known.',
    type: 'integer',
    example: 0,
  })
  unpriced_attempts!: number;

  @ApiProperty({ description: 'When it began.', format: 'date-time' })
  created_at!: string;

  @ApiProperty({ format: 'date-time', description: 'When the last turn began or ended.' })
  updated_at!: string;
}

/** A message in the path. */
export class MessageParams extends IdParams {
  @ApiProperty({ description: 'Id of the message.', format: 'uuid' })
  @IsUUID()
  message_id!: string;
}

/** Which messages of a conversation are wanted. */
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

/** Where a word is in a text. */
export class HighlightBody {
  @ApiProperty({ description: 'UTF-16 units before it.', type: 'integer', example: 11 })
  start!: number;

  @ApiProperty({ description: 'UTF-16 units before its end.', type: 'integer', example: 14 })
  end!: number;
}

/** A place of a conversation that a search has found. */
export class MatchBody {
  @ApiProperty({
    description: 'The message; null for the title.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  message_id!: string | null;

  @ApiProperty({
    description: 'The text around the first hit, as it was written: show it as text, not as HTML.',
    example: 'Why is the sky blue?',
  })
  text!: string;

  @ApiProperty({ description: 'The hits in `text`.', type: [HighlightBody] })
  highlights!: HighlightBody[];
}

/** A conversation of a list. */
export class ListedConversationBody extends ConversationBody {
  @ApiPropertyOptional({
    description: 'There where it was searched: up to three places, that of the title first.',
    type: [MatchBody],
    maxItems: 3,
  })
  matches?: MatchBody[];
}

/** Why an answer is not complete. */
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

/** A file that a message was sent with. */
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

/** A message of a conversation. */
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
