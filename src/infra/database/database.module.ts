import { type DynamicModule, Module } from '@nestjs/common';
import { PrismaService } from './prisma.service.js';

/** Provides the database of the process to repositories. */
@Module({})
export class DatabaseModule {
  static forRoot(options: { readonly connectionString: string; readonly poolMax: number }): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [{ provide: PrismaService, useFactory: () => new PrismaService(options) }],
      exports: [PrismaService],
    };
  }
}
