import { Module } from '@nestjs/common';
import { AccountDeletionSweep } from './account-deletion.sweep.js';
import { UsersModule } from './users.module.js';

/** Resumes interrupted account deletions, in processes that have the hooks of all features. */
@Module({ imports: [UsersModule], providers: [AccountDeletionSweep] })
export class AccountDeletionModule {}
