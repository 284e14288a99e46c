import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsUUID } from 'class-validator';
import { PageQuery } from '../../http/index.js';
import { AUDIT_ACTIONS } from './audit-record.js';

/** Filters for the audit log. */
export class AuditQuery extends PageQuery {
  @ApiPropertyOptional({
    description: 'Only what this account did, or what was done to it.',
    format: 'uuid',
  })
  @IsOptional()
  @IsUUID()
  user_id?: string;
}

/** An entry of the audit log. */
export class AuditEntryBody {
  @ApiProperty({ description: 'Id of the entry.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'What happened.', enum: AUDIT_ACTIONS, example: 'session.opened' })
  action!: string;

  @ApiProperty({
    description: 'The account that did it; null where nobody was logged in.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  actor_id!: string | null;

  @ApiProperty({
    description:
      'The account that it was done to; null where there is none, as at a login with an unknown address.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  user_id!: string | null;

  @ApiProperty({
    description: 'The key, session or provider that it was done with.',
    type: String,
    nullable: true,
    example: 'openai',
  })
  subject!: string | null;

  @ApiProperty({
    description: 'The address that the request came from; null on the command line.',
    type: String,
    nullable: true,
    example: '203.0.113.7',
  })
  address!: string | null;

  @ApiProperty({
    description: 'What changed, by name; never a secret.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { role: 'admin' },
  })
  detail!: object | null;

  @ApiProperty({ description: 'When.', format: 'date-time', example: '2026-11-21T08:00:00.000Z' })
  at!: string;
}
