import { ApiProperty } from '@nestjs/swagger';

/** Token usage of an answer. */
export class UsageBody {
  @ApiProperty({
    description: 'Number of input tokens, that is, of everything sent to the model.',
    type: 'integer',
    example: 12,
  })
  prompt_tokens!: number;

  @ApiProperty({
    description: 'Number of tokens in the answer, including reasoning.',
    type: 'integer',
    example: 34,
  })
  completion_tokens!: number;

  @ApiProperty({
    description: 'Sum of `prompt_tokens` and `completion_tokens`.',
    type: 'integer',
    example: 46,
  })
  total_tokens!: number;
}
