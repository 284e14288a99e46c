export { DatabaseUnavailableError, isUniqueViolation } from './database-errors.js';
export { DatabaseModule } from './database.module.js';
export { deleteInBatches, RETENTION_BATCH } from './delete-in-batches.js';
export { openDatabase, type OpenDatabase } from './database.js';
export { ADVISORY_LOCKS, closeClient } from './postgres-client.js';
export { PrismaService, type Transaction } from './prisma.service.js';
export { SchemaVersion } from './schema-version.js';
