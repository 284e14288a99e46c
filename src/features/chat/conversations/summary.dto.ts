import { ApiProperty } from '@nestjs/swagger';

/** A summary of the conversation up to a message. */
export class SummaryBody {
  @ApiProperty({ description: 'What the model is told.', example: 'The user asked why the sky is blue.' })
  text!: string;

  @ApiProperty({ description: 'The last message that it covers.', format: 'uuid' })
  up_to_message_id!: string;

  @ApiProperty({ description: 'The model that wrote it.', example: 'demo/echo' })
  model!: string;

  @ApiProperty({ description: 'When it was written.', format: 'date-time' })
  created_at!: string;
}
