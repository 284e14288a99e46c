import { Module } from '@nestjs/common';
import { UserRepository } from './user.repository.js';
import { UserService } from './user.service.js';
import { UsersController } from './users.controller.js';

@Module({ controllers: [UsersController], providers: [UserRepository, UserService], exports: [UserService] })
export class UsersModule {}
