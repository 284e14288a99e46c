import { type DynamicModule, Module } from '@nestjs/common';
import { listMigrations } from './migration-history.js';
import { PrismaService } from './prisma.service.js';
import { SchemaVersion } from './schema-version.js';

/** Provides the database of the process to repositories. */
@Module({})
export class DatabaseModule {
  /** @param options.migrationsDirectory `prisma/migrations` */
  static forRoot(options: {
    readonly connectionString: string;
    readonly poolMax: number;
    readonly migrationsDirectory: string;
  }): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        { provide: PrismaService, useFactory: () => new PrismaService(options) },
        {
          provide: SchemaVersion,
          inject: [PrismaService],
          useFactory: async (prisma: PrismaService) =>
            new SchemaVersion(prisma, await listMigrations(options.migrationsDirectory)),
        },
      ],
      exports: [PrismaService, SchemaVersion],
    };
  }
}
