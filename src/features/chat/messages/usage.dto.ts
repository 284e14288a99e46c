import { ApiProperty } from '@nestjs/swagger';

/** Token usage of an answer. */
export class UsageBody {
  @ApiProperty({
    description: 'Tokens of the input, that is, of everything sent to the model.',
    type: 'integer',
    example: 12,
  })
  prompt_tokens!: number;

  @ApiProperty({ description: 'Tokens of the answer, reasoning included.', type: 'integer', example: 34 })
  completion_tokens!: number;

  @ApiProperty({ description: 'Both together.', type: 'integer', example: 46 })
  total_tokens!: number;
}
