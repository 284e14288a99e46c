import { Module } from '@nestjs/common';
import { ByteLimiter } from '../../common/byte-limiter.js';
import { AppConfig } from '../../config/index.js';
import { LlmModule } from '../../llm/index.js';
import { FilesModule } from '../files/index.js';
import { UsageModule } from '../usage/index.js';
import { AnswerRepository } from './answer.repository.js';
import { AnswerSender } from './answer.sender.js';
import { AnswerService } from './answer.service.js';
import { AttachmentRepository } from './attachment.repository.js';
import { AttachmentService } from './attachment.service.js';
import { BranchRepository } from './branch.repository.js';
import { BranchesController } from './branches.controller.js';
import { ChatController } from './chat.controller.js';
import { ChoreQueueModule } from './chore-queue.module.js';
import { ContextRepository } from './context.repository.js';
import { ContextService } from './context.service.js';
import { ConversationRepository } from './conversation.repository.js';
import { ConversationService } from './conversation.service.js';
import { ConversationsController } from './conversations.controller.js';
import { PlaceService } from './place.service.js';
import { ExportService } from './library/export.service.js';
import { ImportService } from './library/import.service.js';
import { SearchRepository } from './library/search.repository.js';
import { SearchService } from './library/search.service.js';
import { SharedController } from './library/shared.controller.js';
import { ShareRepository } from './library/share.repository.js';
import { ShareService } from './library/share.service.js';
import { SharesController } from './library/shares.controller.js';
import { TransferController } from './library/transfer.controller.js';
import { TransferRepository } from './library/transfer.repository.js';
import { RecoveryModule } from './recovery.module.js';
import { SummaryRepository } from './summary.repository.js';
import { SweepTimer } from './sweep-timer.js';
import { ToldFilesService } from './told-files.service.js';
import { TurnDeletionHook } from './turn-deletion-hook.js';
import { TurnChores } from './turn-chores.js';
import { TurnRepository } from './turn.repository.js';
import { TurnRunner } from './turn-runner.js';
import { TurnService } from './turn.service.js';

/** Maximum wait of a turn for the memory that its files need, in milliseconds. */
const FILES_WAIT_MS = 10_000;

/** Turns and conversations, for the API. */
@Module({
  imports: [ChoreQueueModule, FilesModule, LlmModule, RecoveryModule, UsageModule],
  controllers: [
    BranchesController,
    ChatController,
    ConversationsController,
    SharedController,
    SharesController,
    TransferController,
  ],
  providers: [
    {
      provide: ByteLimiter,
      inject: [AppConfig],
      useFactory: ({ context }: AppConfig) => new ByteLimiter(context.maxFileBytes, FILES_WAIT_MS),
    },
    AnswerRepository,
    AnswerSender,
    AnswerService,
    AttachmentRepository,
    AttachmentService,
    BranchRepository,
    ContextRepository,
    ContextService,
    ConversationRepository,
    ConversationService,
    ExportService,
    ImportService,
    PlaceService,
    SearchRepository,
    SearchService,
    ShareRepository,
    ShareService,
    SummaryRepository,
    SweepTimer,
    TurnChores,
    ToldFilesService,
    TransferRepository,
    TurnDeletionHook,
    TurnRepository,
    TurnRunner,
    TurnService,
  ],
  exports: [TurnDeletionHook, TurnRunner, TurnService],
})
export class ChatModule {}
