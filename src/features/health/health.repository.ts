import { Injectable } from '@nestjs/common';
import { PrismaService, SchemaVersion } from '../../infra/database/index.js';

@Injectable()
export class HealthRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly schema: SchemaVersion,
  ) {}

  databaseAnswers(): Promise<boolean> {
    return this.prisma.isReachable();
  }

  /** Returns the reason why the database cannot be used; undefined if it can. */
  findDatabaseProblem(): Promise<string | undefined> {
    return this.schema.findProblem();
  }
}
