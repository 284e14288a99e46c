import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsUUID } from 'class-validator';
import { ToolCallBody } from '../messages/tool.dto.js';
import { OmittedPagesBody } from '../messages/omitted-pages.dto.js';
import { SourceBody } from '../../rag/index.js';
import { UsageBody } from '../messages/usage.dto.js';

/** Path parameters that identify an answer. */
export class AnswerParams {
  @ApiProperty({
    description: 'Id of the answer, from `message_id` or the header `X-Message-ID`.',
    format: 'uuid',
  })
  @IsUUID()
  message_id!: string;
}

/** A finished answer. */
export class AnswerBody {
  @ApiProperty({
    description: 'Text of the answer.',
    example: 'Because air scatters blue light more than red.',
  })
  message!: string;

  @ApiPropertyOptional({
    description: 'Tool calls that the answer requests. Present only if `finish_reason` is `tool_calls`.',
    type: [ToolCallBody],
  })
  tool_calls?: ToolCallBody[];

  @ApiProperty({
    format: 'uuid',
    description: 'Id of the conversation; send it with the next message to continue.',
  })
  conversation_id!: string;

  @ApiProperty({ format: 'uuid', description: 'Id of the answer.' })
  message_id!: string;

  @ApiProperty({ description: 'Model that generated the answer.', example: 'demo/echo' })
  model!: string;

  @ApiProperty({
    description: 'Total tokens of this turn; the same as `usage.total_tokens`.',
    type: 'integer',
    example: 46,
  })
  tokens_used!: number;

  @ApiProperty({ description: 'Token usage of this turn.', type: UsageBody })
  usage!: UsageBody;

  @ApiProperty({
    description: 'Estimated cost in US dollars; null if the price is unknown.',
    type: Number,
    nullable: true,
    example: 0.000123,
  })
  cost_estimate!: number | null;

  @ApiProperty({
    description:
      'Why the answer ended: `stop`, `length`, `content_filter` or `tool_calls`; `stopped` if you stopped it.',
    example: 'stop',
  })
  finish_reason!: string;

  @ApiProperty({
    description:
      'Whether the answer was served from cache. If so, `usage` is that of the original answer and nothing is billed.',
    example: false,
  })
  cached!: boolean;

  @ApiPropertyOptional({
    description: 'Present only if part of the answer could not be parsed and may be missing.',
  })
  warning?: string;

  @ApiPropertyOptional({
    description:
      'Pages of attached documents that were left out because they did not fit. Present only if there are any; in a stream, the first event has it for every question with files.',
    type: [OmittedPagesBody],
  })
  omitted_pages?: OmittedPagesBody[];

  @ApiPropertyOptional({
    description:
      'Passages that the model received from the collections of the request. Present only if it names any; in a stream, in the first event and in the last one.',
    type: [SourceBody],
  })
  sources?: SourceBody[];

  @ApiPropertyOptional({
    description: 'Those of the sources that the answer cites. Present together with `sources`.',
    type: [SourceBody],
  })
  citations?: SourceBody[];

  @ApiPropertyOptional({
    description:
      'Request parameters that the model did not accept as given, as in the header `X-Ignored-Params`. Present only if there are any, and not when an answer is read again later.',
    type: [String],
    example: ['temperature'],
  })
  ignored_params?: string[];

  @ApiProperty({ format: 'date-time', description: 'Time at which the answer ended.' })
  timestamp!: string;
}
