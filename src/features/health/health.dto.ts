import { ApiProperty } from '@nestjs/swagger';

/** What runs here. */
export class ServiceBody {
  @ApiProperty({ example: 'parley' })
  name!: string;

  @ApiProperty({ example: '0.1.0' })
  version!: string;

  @ApiProperty({ description: 'Path of the interactive documentation.', example: '/docs' })
  docs!: string;
}

/** Whether a check passed. */
export class ProbeBody {
  @ApiProperty({ enum: ['ok', 'unavailable'], example: 'ok' })
  status!: 'ok' | 'unavailable';
}

/** One model provider. */
export class ProviderHealthBody {
  @ApiProperty({ description: 'First part of its models’ names.', example: 'openai' })
  id!: string;

  @ApiProperty({ enum: ['ok', 'unavailable'], example: 'ok' })
  status!: 'ok' | 'unavailable';

  @ApiProperty({ description: 'How many models it lists.', example: 12 })
  models!: number;
}

/** How everything is. */
export class HealthBody {
  @ApiProperty({
    description: '`ok`: all is well. `degraded`: a provider is away. `unavailable`: the database is away.',
    enum: ['ok', 'degraded', 'unavailable'],
    example: 'ok',
  })
  status!: 'ok' | 'degraded' | 'unavailable';

  @ApiProperty({ example: '0.1.0' })
  version!: string;

  @ApiProperty({ enum: ['ok', 'unavailable'], example: 'ok' })
  database!: 'ok' | 'unavailable';

  @ApiProperty({ type: [ProviderHealthBody] })
  providers!: ProviderHealthBody[];
}
