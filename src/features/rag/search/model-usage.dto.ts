import { ApiProperty } from '@nestjs/swagger';

/** Token usage of an answer from documents. */
export class QueryUsageBody {
  @ApiProperty({ description: 'Number of input tokens.', type: 'integer', example: 1240 })
  prompt_tokens!: number;

  @ApiProperty({ description: 'Number of tokens in the answer.', type: 'integer', example: 85 })
  completion_tokens!: number;

  @ApiProperty({
    description: 'Sum of `prompt_tokens` and `completion_tokens`.',
    type: 'integer',
    example: 1325,
  })
  total_tokens!: number;
}

/** The call to the model that orders passages. */
export class RerankBody {
  @ApiProperty({
    description: 'Model that was called; null if there was nothing to order or the model is unavailable.',
    type: String,
    nullable: true,
    example: 'openai/gpt-5-mini',
  })
  model!: string | null;

  @ApiProperty({ description: 'Token usage of the call.', type: QueryUsageBody })
  usage!: QueryUsageBody;

  @ApiProperty({
    description: 'Estimated cost in US dollars; null if the price is unknown.',
    type: Number,
    nullable: true,
    example: 0.0004,
  })
  cost_estimate!: number | null;
}
