import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly, ApiErrors, ApiPage, type Page, toPage } from '../../http/index.js';
import { AuditEntryBody, AuditQuery } from './audit.dto.js';
import { toAuditEntryBody } from './audit.mapper.js';
import { AuditService } from './audit.service.js';

@AdminOnly()
@ApiTags('audit-log')
@Controller('api/v1/audit-log')
export class AuditController {
  constructor(private readonly audit: AuditService) {}

  @Get()
  @ApiOperation({
    summary: 'List the audit log, newest first',
    description:
      'Admins only. Lists what happened to accounts. Entries contain ids and no secrets, and remain after the account they refer to is deleted.',
  })
  @ApiPage(AuditEntryBody)
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden')
  async list(@Query() query: AuditQuery): Promise<Page<AuditEntryBody>> {
    const entries = await this.audit.listEntries({ userId: query.user_id }, query.slice());
    return toPage(entries, query.limit, toAuditEntryBody);
  }
}
