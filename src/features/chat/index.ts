export { AnswerService } from './answer.service.js';
export { ChatJobsModule } from './chat-jobs.module.js';
export { ChatModule } from './chat.module.js';
export { RecoveryService } from './recovery.service.js';
export { TurnPurge } from './turn-purge.js';
export { TurnRunner } from './turn-runner.js';
