export { UserService } from './user.service.js';
export { UsersModule } from './users.module.js';
