import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsOptional, IsString, Length } from 'class-validator';
import { IsNotBlank, IsOptionalField, IsPlainText, PageQuery } from '../../../http/index.js';
import { type Compaction, COMPACTIONS } from '../model/compaction.js';
import { SummaryBody } from './summary.dto.js';

/** Maximum length of a title, in characters. */
export const MAX_TITLE = 200;

/** Maximum length of a system prompt, in characters. */
export const MAX_SYSTEM_PROMPT = 1000;

/** Filters for a list of conversations. */
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

/** Changes to a conversation; omitted fields stay as they are. */
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

/** Position of a search term in a text. */
export class HighlightBody {
  @ApiProperty({ description: 'UTF-16 units before it.', type: 'integer', example: 11 })
  start!: number;

  @ApiProperty({ description: 'UTF-16 units before its end.', type: 'integer', example: 14 })
  end!: number;
}

/** A search match in a conversation. */
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

/** A conversation in a list. */
export class ListedConversationBody extends ConversationBody {
  @ApiPropertyOptional({
    description: 'There where it was searched: up to three places, that of the title first.',
    type: [MatchBody],
    maxItems: 3,
  })
  matches?: MatchBody[];
}
