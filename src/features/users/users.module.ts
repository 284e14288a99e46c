import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/index.js';
import { AccountAdminController } from './account-admin.controller.js';
import { AccountAdminService } from './account-admin.service.js';
import { AccountDeletionRepository } from './account-deletion.repository.js';
import { AccountDeletionService } from './account-deletion.service.js';
import { PasswordThrottle } from './password-throttle.js';
import { SharedPasswordThrottle } from './shared-password-throttle.js';
import { UserRepository } from './user.repository.js';
import { UserService } from './user.service.js';
import { UsersController } from './users.controller.js';

@Module({
  imports: [AuditModule],
  // In this order, otherwise `me` would be taken for an id.
  controllers: [UsersController, AccountAdminController],
  providers: [
    AccountAdminService,
    AccountDeletionRepository,
    AccountDeletionService,
    PasswordThrottle,
    SharedPasswordThrottle,
    UserRepository,
    UserService,
  ],
  exports: [AccountAdminService, AccountDeletionService, SharedPasswordThrottle, UserService],
})
export class UsersModule {}
