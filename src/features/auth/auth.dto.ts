import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsEmail, IsString, Length, MaxLength } from 'class-validator';
import { IsOptionalField, IsPlainText } from '../../http/index.js';

/** An email address and a password. */
export class CredentialsBody {
  @ApiProperty({
    description:
      'Email address. Upper and lower case, and forms that are equal by Unicode NFKC (full-width letters), are the same.',
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
    description: 'Password.',
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
    description: 'The refresh token that came last.',
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
  @ApiPropertyOptional({ description: 'Ends all sessions of the account.', default: false, example: true })
  @IsOptionalField()
  @IsBoolean()
  everywhere?: boolean;
}

/** A change of password. */
export class PasswordBody {
  @ApiProperty({
    description: 'The password until now.',
    format: 'password',
    maxLength: 128,
    example: 'correct horse battery',
  })
  @MaxLength(128)
  @IsPlainText()
  @IsString()
  current_password!: string;

  @ApiProperty({
    description: 'The password from now on.',
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
    description: 'Send it as `Authorization: Bearer <access_token>`.',
    example: 'eyJhbGciOiJIUzI1NiJ9.…',
  })
  access_token!: string;

  @ApiProperty({
    description:
      'Gives the next pair of tokens at `/api/v1/auth/refresh`, once, within 30 days. Keep it as you keep a password.',
    example: 'prt_4lB2…',
  })
  refresh_token!: string;

  @ApiProperty({ description: 'How to send it.', enum: ['Bearer'], example: 'Bearer' })
  token_type!: 'Bearer';

  @ApiProperty({ description: 'Seconds until the access token expires.', type: 'integer', example: 900 })
  expires_in!: number;
}
