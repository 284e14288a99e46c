import { ApiProperty } from '@nestjs/swagger';

/** An account as its owner sees it. */
export class UserBody {
  @ApiProperty({
    description: 'Id of the account.',
    format: 'uuid',
    example: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11',
  })
  id!: string;

  @ApiProperty({ description: 'Email address, in lower case.', format: 'email', example: 'ada@example.com' })
  email!: string;

  @ApiProperty({
    description: 'When the account was made.',
    format: 'date-time',
    example: '2026-11-21T08:00:00.000Z',
  })
  created_at!: string;
}
