import { ApiProperty } from '@nestjs/swagger';
import { IsString, Length, Matches, MaxLength } from 'class-validator';
import { IsPlainText } from '../../http/index.js';

/** Path parameter that identifies a provider. */
export class ProviderParams {
  @ApiProperty({
    description: 'Provider of this server: the first part of its models’ names.',
    maxLength: 100,
    example: 'openai',
  })
  @MaxLength(100)
  @IsPlainText()
  @IsString()
  provider!: string;
}

/** A provider key to be stored. */
export class SetProviderKeyBody {
  @ApiProperty({
    description: 'Your API key for the provider. It is stored encrypted and never shown again.',
    format: 'password',
    minLength: 1,
    maxLength: 1000,
    example: 'sk-…',
  })
  // It is sent as the value of a header.
  @Matches(/^[\x21-\x7e]+$/, { message: '$property must be visible ASCII characters without spaces' })
  @Length(1, 1000)
  @IsString()
  key!: string;
}

/** A stored provider key, without the key itself. */
export class ProviderKeyBody {
  @ApiProperty({ description: 'Provider that the key is for.', example: 'openai' })
  provider!: string;

  @ApiProperty({ description: 'Last characters of the key; empty if the key is short.', example: 'x4Qz' })
  hint!: string;

  @ApiProperty({ description: 'Time at which a key was first stored.', format: 'date-time' })
  created_at!: string;

  @ApiProperty({ description: 'Time at which this key was stored.', format: 'date-time' })
  updated_at!: string;
}

/** All provider keys of an account; at most one per provider. */
export class ProviderKeyListBody {
  @ApiProperty({ description: 'Always `list`.', enum: ['list'] })
  object!: 'list';

  @ApiProperty({ description: 'Keys, sorted by provider.', type: [ProviderKeyBody] })
  data!: ProviderKeyBody[];
}
