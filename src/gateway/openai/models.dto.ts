import { ApiProperty } from '@nestjs/swagger';

/** A model. */
export class ModelBody {
  @ApiProperty({
    description: 'Full name of the model, `provider/model`, or an alias.',
    example: 'demo/echo',
  })
  id!: string;

  @ApiProperty({ description: 'Always `model`.', enum: ['model'], example: 'model' })
  object!: 'model';

  @ApiProperty({ description: 'Unix timestamp, in seconds.', example: 1_790_000_000 })
  created!: number;

  @ApiProperty({ description: 'Provider of the model, or `alias`.', example: 'demo' })
  owned_by!: string;
}

/** The list of models. */
export class ModelListBody {
  @ApiProperty({ description: 'Always `list`.', enum: ['list'], example: 'list' })
  object!: 'list';

  @ApiProperty({
    description: 'Aliases, then the models in the order of their providers.',
    type: [ModelBody],
  })
  data!: ModelBody[];
}
