import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import {
  IsBoolean,
  IsEmail,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  MaxLength,
  Min,
  Max,
} from 'class-validator';
import { IsOptionalField, IsPlainText, PageQuery } from '../../http/index.js';
import { IsCountableAmount } from './is-countable-amount.js';

/** An account. */
export class UserBody {
  @ApiProperty({
    description: 'Id of the account.',
    format: 'uuid',
    example: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11',
  })
  id!: string;

  @ApiProperty({
    description: 'Email address, in lower case and Unicode NFKC.',
    format: 'email',
    example: 'ada@example.com',
  })
  email!: string;

  @ApiProperty({ description: 'Role of the account.', enum: ['user', 'admin'], example: 'user' })
  role!: 'user' | 'admin';

  @ApiProperty({ description: 'Whether an admin has disabled the account.', example: false })
  disabled!: boolean;

  @ApiProperty({
    description: 'Maximum tokens per day (UTC); null for the server’s default.',
    type: 'integer',
    nullable: true,
    example: null,
  })
  quota_tokens_day!: number | null;

  @ApiProperty({
    description: 'Maximum cost in US dollars per month (UTC); null for the server’s default.',
    type: Number,
    nullable: true,
    example: null,
  })
  quota_cost_month_usd!: number | null;

  @ApiProperty({
    description: 'Time at which the account was created.',
    format: 'date-time',
    example: '2026-11-21T08:00:00.000Z',
  })
  created_at!: string;
}

/** Changes that owners make to their account. */
export class UpdateMeBody {
  @ApiProperty({
    description:
      'New email address. Case is ignored, and forms that are equal under Unicode NFKC count as the same address.',
    format: 'email',
    maxLength: 254,
    example: 'ada@example.com',
  })
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.trim() : value))
  @MaxLength(254)
  @IsEmail()
  @IsPlainText()
  @IsString()
  email!: string;

  @ApiProperty({
    description: 'Current password of the account.',
    format: 'password',
    maxLength: 128,
    example: 'correct horse battery',
  })
  @MaxLength(128)
  @IsPlainText()
  @IsString()
  current_password!: string;
}

/** Changes that admins make to an account; omitted fields stay as they are. */
export class UpdateUserBody {
  @ApiPropertyOptional({ description: 'Role of the account.', enum: ['user', 'admin'], example: 'admin' })
  @IsOptionalField()
  @IsIn(['user', 'admin'])
  role?: 'user' | 'admin';

  @ApiPropertyOptional({
    description:
      'Whether to disable the account. Disabling stops everything that runs for it and ends its sessions.',
    example: true,
  })
  @IsOptionalField()
  @IsBoolean()
  disabled?: boolean;

  @ApiPropertyOptional({
    description: 'Maximum tokens per day (UTC); 0 for none at all, null for the server’s default.',
    type: 'integer',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    nullable: true,
    example: 1_000_000,
  })
  @IsOptional()
  @Max(Number.MAX_SAFE_INTEGER)
  @Min(0)
  @IsInt()
  quota_tokens_day?: number | null;

  @ApiPropertyOptional({
    description:
      'Maximum cost in US dollars per month (UTC), in steps of a millionth; 0 for none at all, null for the server’s default.',
    type: Number,
    minimum: 0,
    maximum: 1_000_000_000,
    nullable: true,
    example: 20,
  })
  @IsOptional()
  @Max(1_000_000_000)
  @IsCountableAmount()
  @Min(0)
  @IsNumber({ allowNaN: false, allowInfinity: false })
  quota_cost_month_usd?: number | null;
}

/** Filters for a list of accounts. */
export class UsersQuery extends PageQuery {
  @ApiPropertyOptional({
    description: 'Only accounts whose email address begins with this text.',
    maxLength: 254,
    example: 'ada@',
  })
  @IsOptional()
  @MaxLength(254)
  @IsPlainText()
  @IsString()
  q?: string;
}
