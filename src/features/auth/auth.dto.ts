import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsEmail, IsString, Length, MaxLength } from 'class-validator';
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

/** What a client needs to act for an account. */
export class TokenBody {
  @ApiProperty({
    description: 'Send it as `Authorization: Bearer <access_token>`.',
    example: 'eyJhbGciOiJIUzI1NiJ9.…',
  })
  access_token!: string;

  @ApiProperty({ description: 'How to send it.', enum: ['Bearer'], example: 'Bearer' })
  token_type!: 'Bearer';

  @ApiProperty({ description: 'Seconds until the access token expires.', type: 'integer', example: 900 })
  expires_in!: number;
}
