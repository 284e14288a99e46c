import { Module } from '@nestjs/common';
import { AuditRepository } from './audit.repository.js';
import { AuditRetention } from './audit-retention.js';

/** Background jobs of the audit log, for the process that runs jobs. */
@Module({ providers: [AuditRepository, AuditRetention], exports: [AuditRetention] })
export class AuditJobsModule {}
