export { Broadcast } from './broadcast.js';
export { RedisConnection, type RedisSettings } from './redis-connection.js';
export { RedisModule } from './redis.module.js';
export { connectionRefusal } from './connection-refusal.js';
