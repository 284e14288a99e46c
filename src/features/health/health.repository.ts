import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';

@Injectable()
export class HealthRepository {
  constructor(private readonly prisma: PrismaService) {}

  databaseAnswers(): Promise<boolean> {
    return this.prisma.isReachable();
  }
}
