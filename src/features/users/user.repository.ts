import { Injectable } from '@nestjs/common';
import { isUniqueViolation, PrismaService } from '../../infra/database/index.js';

/** An account as it is stored. */
export interface StoredUser {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string;
  readonly createdAt: Date;
}

@Injectable()
export class UserRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** The new account, or undefined where the address is taken. The unique index on `email` decides a race. */
  async insert(user: { id: string; email: string; passwordHash: string }): Promise<StoredUser | undefined> {
    try {
      return await this.prisma.run((client) => client.user.create({ data: user }));
    } catch (error) {
      if (isUniqueViolation(error, 'email')) return undefined;
      throw error;
    }
  }

  findByEmail(email: string): Promise<StoredUser | null> {
    return this.prisma.run((client) => client.user.findUnique({ where: { email } }));
  }

  findById(id: string): Promise<StoredUser | null> {
    return this.prisma.run((client) => client.user.findUnique({ where: { id } }));
  }
}
