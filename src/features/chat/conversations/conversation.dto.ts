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
      'Search terms: only conversations whose title, or one of whose messages, contains all these words; the last one matches as a prefix. Case and diacritics are ignored.',
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
      '`true` for archived conversations, `false` for all others. If omitted, a list excludes archived conversations and a search includes both.',
    enum: ['true', 'false'],
  })
  @IsOptional()
  @IsIn(['true', 'false'])
  archived?: 'true' | 'false';

  @ApiPropertyOptional({
    description: 'Only pinned conversations. If omitted, all of them.',
    enum: ['true'],
  })
  @IsOptional()
  @IsIn(['true'])
  pinned?: 'true';
}

/** Changes to a conversation; omitted fields stay as they are. */
export class UpdateConversationBody {
  @ApiPropertyOptional({
    description: 'New title. No model generates a title for the conversation afterwards.',
    minLength: 1,
    maxLength: MAX_TITLE,
    example: 'The color of the sky',
  })
  @IsOptionalField()
  @IsNotBlank()
  @Length(1, MAX_TITLE)
  @IsPlainText()
  @IsString()
  title?: string;

  @ApiPropertyOptional({
    description: 'Whether the conversation is archived, that is, left out of the default list.',
    example: true,
  })
  @IsOptionalField()
  @IsBoolean()
  archived?: boolean;

  @ApiPropertyOptional({ description: 'Whether the conversation is pinned.', example: true })
  @IsOptionalField()
  @IsBoolean()
  pinned?: boolean;

  @ApiPropertyOptional({
    description: 'System prompt from the next turn on; null for none.',
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
      'Title: the first words of the first message, until you or a model (`TITLE_MODEL`) set a better one.',
    example: 'Why is the sky blue?',
  })
  title!: string;

  @ApiProperty({
    description: 'Whether the conversation is archived, that is, left out of the default list.',
    example: false,
  })
  archived!: boolean;

  @ApiProperty({ description: 'Whether the conversation is pinned.', example: false })
  pinned!: boolean;

  @ApiProperty({
    description: 'System prompt; null if there is none.',
    type: String,
    nullable: true,
    example: null,
  })
  system_prompt!: string | null;

  @ApiProperty({
    description: 'What happens to messages that no longer fit in the context sent to the model.',
    enum: COMPACTIONS,
    example: 'none',
  })
  compaction!: Compaction;

  @ApiProperty({
    description:
      'With `compaction: summary`, the summary sent to the model in place of the older messages of the active path; null if there is none yet.',
    type: SummaryBody,
    nullable: true,
    example: null,
  })
  summary!: SummaryBody | null;

  @ApiProperty({
    description: 'Last message of the active path, which the next message follows.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  active_message_id!: string | null;

  @ApiProperty({
    description: 'Total tokens of all attempts to generate an answer, including failed ones.',
    type: 'integer',
    example: 46,
  })
  tokens_used!: number;

  @ApiProperty({
    description:
      'Estimated cost in US dollars of all attempts whose price is known; null if no such attempt cost anything.',
    type: Number,
    nullable: true,
    example: 0.000123,
  })
  cost_estimate!: number | null;

  @ApiProperty({
    description:
      'Number of attempts not included in `cost_estimate` because the price of their model is unknown.',
    type: 'integer',
    example: 0,
  })
  unpriced_attempts!: number;

  @ApiProperty({ description: 'Time at which the conversation was created.', format: 'date-time' })
  created_at!: string;

  @ApiProperty({ format: 'date-time', description: 'Time at which the last turn began or ended.' })
  updated_at!: string;
}

/** Position of a search term in a text. */
export class HighlightBody {
  @ApiProperty({
    description: 'Start of the hit in `text`, in UTF-16 code units.',
    type: 'integer',
    example: 11,
  })
  start!: number;

  @ApiProperty({
    description: 'End of the hit in `text`, exclusive, in UTF-16 code units.',
    type: 'integer',
    example: 14,
  })
  end!: number;
}

/** A search match in a conversation. */
export class MatchBody {
  @ApiProperty({
    description: 'Id of the message; null for the title.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  message_id!: string | null;

  @ApiProperty({
    description: 'Text around the first hit, as it was written. Display it as text, not as HTML.',
    example: 'Why is the sky blue?',
  })
  text!: string;

  @ApiProperty({ description: 'Hits in `text`.', type: [HighlightBody] })
  highlights!: HighlightBody[];
}

/** A conversation in a list. */
export class ListedConversationBody extends ConversationBody {
  @ApiPropertyOptional({
    description: 'Up to three matches, that of the title first. Present only in search results.',
    type: [MatchBody],
    maxItems: 3,
  })
  matches?: MatchBody[];
}
