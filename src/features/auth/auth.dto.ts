import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsEmail, IsString, Length, MaxLength } from 'class-validator';
import { IsOptionalField, IsPlainText } from '../../http/index.js';

/** An email address and a password. */
export class CredentialsBody {
  @ApiProperty({
    description:
      'Email address. Case is ignored, and forms that are equal under Unicode NFKC (such as full-width letters) count as the same address.',
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
    description: 'Password, 8 to 128 characters.',
    format: 'password',
    minLength: 8,
    maxLength: 128,
    example: 'correct horse battery',
  })
  @Length(8, 128)
  @IsPlainText()
  @IsString()
  password!: string;
}

/** A refresh token. */
export class RefreshBody {
  @ApiProperty({
    description: 'Most recent refresh token.',
    maxLength: 200,
    example: 'prt_4lB2…',
  })
  @MaxLength(200)
  @IsPlainText()
  @IsString()
  refresh_token!: string;
}

/** The session to end. */
export class LogoutBody extends RefreshBody {
  @ApiPropertyOptional({
    description: 'Whether to end all sessions of the account.',
    default: false,
    example: true,
  })
  @IsOptionalField()
  @IsBoolean()
  everywhere?: boolean;
}

/** A change of password. */
export class PasswordBody {
  @ApiProperty({
    description: 'Current password.',
    format: 'password',
    maxLength: 128,
    example: 'correct horse battery',
  })
  @MaxLength(128)
  @IsPlainText()
  @IsString()
  current_password!: string;

  @ApiProperty({
    description: 'New password, 8 to 128 characters.',
    format: 'password',
    minLength: 8,
    maxLength: 128,
    example: 'staple correct horse',
  })
  @Length(8, 128)
  @IsPlainText()
  @IsString()
  new_password!: string;
}

/** Tokens with which a client acts for an account. */
export class TokenBody {
  @ApiProperty({
    description: 'Access token, to send as `Authorization: Bearer <access_token>`.',
    example: 'eyJhbGciOiJIUzI1NiJ9.…',
  })
  access_token!: string;

  @ApiProperty({
    description:
      'Refresh token, to exchange once for the next pair of tokens at `/api/v1/auth/refresh` within 30 days. Keep it as safe as a password.',
    example: 'prt_4lB2…',
  })
  refresh_token!: string;

  @ApiProperty({ description: 'Type of the access token.', enum: ['Bearer'], example: 'Bearer' })
  token_type!: 'Bearer';

  @ApiProperty({ description: 'Seconds until the access token expires.', type: 'integer', example: 900 })
  expires_in!: number;
}
