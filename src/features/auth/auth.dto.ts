import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsEmail, Length, MaxLength } from 'class-validator';
import { IsPlainText } from '../../http/index.js';

/** Email address and password. */
export class CredentialsBody {
  @ApiProperty({
    description: 'Email address; upper and lower case are the same.',
    format: 'email',
    maxLength: 254,
    example: 'ada@example.com',
  })
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.trim() : value))
  @MaxLength(254)
  @IsEmail()
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
  password!: string;
}

/** What a client needs to act for an account. */
export class TokenBody {
  @ApiProperty({
    description: 'Send it as `Authorization: Bearer <access_token>`.',
    example: 'eyJhbGciOiJIUzI1NiJ9.…',
  })
  access_token!: string;

  @ApiProperty({ enum: ['Bearer'], example: 'Bearer' })
  token_type!: 'Bearer';

  @ApiProperty({ description: 'Seconds until the access token expires.', example: 900 })
  expires_in!: number;
}
