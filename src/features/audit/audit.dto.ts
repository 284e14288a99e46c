import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsUUID } from 'class-validator';
import { PageQuery } from '../../http/index.js';
import { AUDIT_ACTIONS } from './audit-record.js';

/** Filters for the audit log. */
export class AuditQuery extends PageQuery {
  @ApiPropertyOptional({
    description: 'Only entries in which this account is the actor or the target.',
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

  @ApiProperty({ description: 'Action that was performed.', enum: AUDIT_ACTIONS, example: 'session.opened' })
  action!: string;

  @ApiProperty({
    description: 'Account that performed the action; null if nobody was logged in.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  actor_id!: string | null;

  @ApiProperty({
    description:
      'Account that the action affected; null if there is none, as for a login with an unknown address.',
    type: String,
    format: 'uuid',
    nullable: true,
  })
  user_id!: string | null;

  @ApiProperty({
    description: 'Key, session, webhook or provider involved in the action.',
    type: String,
    nullable: true,
    example: 'openai',
  })
  subject!: string | null;

  @ApiProperty({
    description: 'Address that the request came from; null for the command line.',
    type: String,
    nullable: true,
    example: '203.0.113.7',
  })
  address!: string | null;

  @ApiProperty({
    description: 'Changed values by name; never a secret.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { role: 'admin' },
  })
  detail!: object | null;

  @ApiProperty({
    description: 'Time of the action.',
    format: 'date-time',
    example: '2026-11-21T08:00:00.000Z',
  })
  at!: string;
}
