import { defineConfig } from 'prisma/config';

// `prisma generate` asks for the schema-engine binary although it never runs it. Naming an existing file keeps
// it from downloading one: a fresh machine must not depend on that host (docs/adr/0001).
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;

export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'prisma/migrations' } });
