export { AuditJobsModule } from './audit-jobs.module.js';
export { AuditModule } from './audit.module.js';
export { AuditRetention } from './audit-retention.js';
export type { AuditAction } from './audit-record.js';
export { AuditRepository } from './audit.repository.js';
export { AuditService } from './audit.service.js';
