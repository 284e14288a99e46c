import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { IsOptionalField } from '../../http/index.js';
import { IsDay } from './is-day.js';

/** Grouping that includes the API key. */
export const BY_KEY = 'day,model,key';

const WAYS = ['day,model', BY_KEY] as const;

/** Period and grouping of a usage report. */
export class UsageQuery {
  @ApiPropertyOptional({
    description: 'First day, in UTC; 29 days before the last one without it.',
    format: 'date',
    example: '2026-11-01',
  })
  @IsOptionalField()
  @IsDay()
  from?: string;

  @ApiPropertyOptional({
    description: 'Last day, in UTC; today without it. At most 366 days are told at once.',
    format: 'date',
    example: '2026-11-21',
  })
  @IsOptionalField()
  @IsDay()
  to?: string;

  @ApiPropertyOptional({
    description: 'What the rows tell apart: with `key` each is of one API key.',
    enum: WAYS,
    default: 'day,model',
    example: BY_KEY,
  })
  @IsOptionalField()
  @IsIn(WAYS)
  by?: (typeof WAYS)[number];
}

/** Usage figures. */
export class UsageFigures {
  @ApiProperty({
    description: 'Calls: turns, requests of the compatible routes.',
    type: 'integer',
    example: 12,
  })
  requests!: number;

  @ApiProperty({
    description: 'Attempts at a model, retries and failed ones included, and answers out of the cache.',
    type: 'integer',
    example: 13,
  })
  attempts!: number;

  @ApiProperty({
    description: 'Tokens that models were told, those of their prompt caches included.',
    type: 'integer',
    example: 4200,
  })
  prompt_tokens!: number;

  @ApiProperty({
    description: 'Tokens that models answered, reasoning included.',
    type: 'integer',
    example: 980,
  })
  completion_tokens!: number;

  @ApiProperty({ description: 'Both together.', type: 'integer', example: 5180 })
  total_tokens!: number;

  @ApiProperty({
    description: 'The part of `prompt_tokens` read from a provider’s prompt cache.',
    type: 'integer',
    example: 0,
  })
  cached_tokens!: number;

  @ApiProperty({
    description: 'The part of `prompt_tokens` written to a provider’s prompt cache.',
    type: 'integer',
    example: 0,
  })
  cache_write_tokens!: number;

  @ApiProperty({
    description: 'The part of `completion_tokens` that was reasoning.',
    type: 'integer',
    example: 0,
  })
  reasoning_tokens!: number;

  @ApiProperty({
    description: 'US dollars for the attempts whose price is known; null where there is none such.',
    type: Number,
    nullable: true,
    example: 0.0123,
  })
  cost_estimate!: number | null;

  @ApiProperty({
    description: 'Attempts that `cost_estimate` leaves out, because the price of their model is not known.',
    type: 'integer',
    example: 0,
  })
  unpriced_attempts!: number;

  @ApiProperty({
    description: 'Attempts whose tokens were counted here, because the provider told none.',
    type: 'integer',
    example: 1,
  })
  estimated_attempts!: number;
}

/** Usage of one model on one day, and of one key if requested. */
export class UsageOfDayBody extends UsageFigures {
  @ApiProperty({ description: 'The day, in UTC.', format: 'date', example: '2026-11-21' })
  date!: string;

  @ApiProperty({ description: 'Full name of the model.', example: 'openai/gpt-5.4-mini' })
  model!: string;

  @ApiPropertyOptional({
    description:
      'The API key that asked, with `by=day,model,key` only; null where the account was logged in, and for answers that a restart broke off.',
    type: String,
    format: 'uuid',
    nullable: true,
    example: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11',
  })
  api_key_id?: string | null;
}

/** A usage report of an account. */
export class UsageReportBody {
  @ApiProperty({ description: 'Always `list`.', enum: ['list'], example: 'list' })
  object!: 'list';

  @ApiProperty({ description: 'First day of the report, in UTC.', format: 'date', example: '2026-10-23' })
  from!: string;

  @ApiProperty({ description: 'Last day of the report, in UTC.', format: 'date', example: '2026-11-21' })
  to!: string;

  @ApiProperty({
    description: 'By day and model, and by key where that was asked for, newest day first.',
    type: [UsageOfDayBody],
  })
  data!: UsageOfDayBody[];

  @ApiProperty({ description: 'All of it together.', type: UsageFigures })
  total!: UsageFigures;
}
