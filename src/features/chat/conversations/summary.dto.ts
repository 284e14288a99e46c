import { ApiProperty } from '@nestjs/swagger';

/** A summary of the conversation up to a message. */
export class SummaryBody {
  @ApiProperty({
    description: 'Summary that is sent to the model.',
    example: 'The user asked why the sky is blue.',
  })
  text!: string;

  @ApiProperty({ description: 'Last message that the summary covers.', format: 'uuid' })
  up_to_message_id!: string;

  @ApiProperty({ description: 'Model that wrote the summary.', example: 'demo/echo' })
  model!: string;

  @ApiProperty({ description: 'Time at which the summary was written.', format: 'date-time' })
  created_at!: string;
}
