import { Module } from '@nestjs/common';
import { AuditRepository } from './audit.repository.js';
import { AuditRetention } from './audit-retention.js';

/** What is done to the audit log by itself, for whichever process runs jobs. */
@Module({ providers: [AuditRepository, AuditRetention], exports: [AuditRetention] })
export class AuditJobsModule {}
