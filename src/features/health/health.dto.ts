import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** Information about the running service. */
export class ServiceBody {
  @ApiProperty({ description: 'Name of the service.', example: 'parley' })
  name!: string;

  @ApiProperty({ description: 'Version of the service.', example: '0.1.0' })
  version!: string;

  @ApiProperty({ description: 'Path of the interactive documentation.', example: '/docs' })
  docs!: string;
}

/** A check that passed; a failed one is an error response. */
export class ProbeBody {
  @ApiProperty({ description: 'Always `ok`.', enum: ['ok'], example: 'ok' })
  status!: 'ok';
}

/** Health of one model provider. */
export class ProviderHealthBody {
  @ApiProperty({ description: 'Id of the provider: the first part of its models’ names.', example: 'openai' })
  id!: string;

  @ApiProperty({
    description: 'Whether the provider lists its models.',
    enum: ['ok', 'unavailable'],
    example: 'ok',
  })
  status!: 'ok' | 'unavailable';

  @ApiProperty({ description: 'Number of models that the provider lists.', type: 'integer', example: 12 })
  models!: number;
}

/** Health of the whole service. */
export class HealthBody {
  @ApiProperty({
    description:
      '`ok`: everything works. `degraded`: Redis or a provider is unavailable. `unavailable`: the database is unavailable.',
    enum: ['ok', 'degraded', 'unavailable'],
    example: 'ok',
  })
  status!: 'ok' | 'degraded' | 'unavailable';

  @ApiProperty({ description: 'Version of the service.', example: '0.1.0' })
  version!: string;

  @ApiProperty({
    description: 'Whether the database responds.',
    enum: ['ok', 'unavailable'],
    example: 'ok',
  })
  database!: 'ok' | 'unavailable';

  @ApiPropertyOptional({
    description: 'Whether Redis responds. Present only if the server runs with Redis.',
    enum: ['ok', 'unavailable'],
    example: 'ok',
  })
  redis?: 'ok' | 'unavailable';

  @ApiProperty({ description: 'All configured providers.', type: [ProviderHealthBody] })
  providers!: ProviderHealthBody[];
}
