import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { FilesModule } from '../files/index.js';
import { RagModule } from '../rag/index.js';
import { UsageModule } from '../usage/index.js';
import { AnswerRepository } from './messages/answer.repository.js';
import { TurnResponder } from './turns/turn-responder.js';
import { AnswerService } from './generation/answer.service.js';
import { MessageTreeRepository } from './messages/message-tree.repository.js';
import { MessageBranchesController } from './conversations/message-branches.controller.js';
import { AttachmentsModule } from './attachments.module.js';
import { ChatController } from './turns/chat.controller.js';
import { ChatCoreModule } from './chat-core.module.js';
import { ContextRepository } from './context/context.repository.js';
import { ContextService } from './context/context.service.js';
import { ConversationDeletionRepository } from './conversations/conversation-deletion.repository.js';
import { ConversationDeletionService } from './conversations/conversation-deletion.service.js';
import { ConversationRepository } from './conversations/conversation.repository.js';
import { ConversationService } from './conversations/conversation.service.js';
import { ConversationsController } from './conversations/conversations.controller.js';
import { TurnTargetResolver } from './turns/turn-target.resolver.js';
import { ExportService } from './import-export/export.service.js';
import { GenerationRepository } from './generation/generation.repository.js';
import { IdempotencyRepository } from './turns/idempotency.repository.js';
import { ImportService } from './import-export/import.service.js';
import { SearchRepository } from './conversations/search.repository.js';
import { SearchService } from './conversations/search.service.js';
import { PublicSharesController } from './sharing/public-shares.controller.js';
import { ShareRepository } from './sharing/share.repository.js';
import { ShareService } from './sharing/share.service.js';
import { SharesController } from './sharing/shares.controller.js';
import { TransferController } from './import-export/transfer.controller.js';
import { TransferRepository } from './import-export/transfer.repository.js';
import { SummaryRepository } from './context/summary.repository.js';
import { RecoveryScheduler } from './recovery/recovery.scheduler.js';
import { ContextAttachmentsService } from './context/context-attachments.service.js';
import { CancelTurnsDeletionHook } from './generation/cancel-turns.deletion-hook.js';
import { TurnTasks } from './generation/turn-tasks.js';
import { TurnRepository } from './turns/turn.repository.js';
import { TurnRunner } from './generation/turn-runner.js';
import { TurnService } from './turns/turn.service.js';

/** Turns and conversations, for the API. */
@Module({
  imports: [AttachmentsModule, ChatCoreModule, FilesModule, LlmModule, RagModule, UsageModule],
  controllers: [
    MessageBranchesController,
    ChatController,
    ConversationsController,
    PublicSharesController,
    SharesController,
    TransferController,
  ],
  providers: [
    AnswerRepository,
    TurnResponder,
    AnswerService,
    MessageTreeRepository,
    ContextRepository,
    ContextService,
    ConversationDeletionRepository,
    ConversationDeletionService,
    ConversationRepository,
    ConversationService,
    ExportService,
    GenerationRepository,
    IdempotencyRepository,
    ImportService,
    TurnTargetResolver,
    SearchRepository,
    SearchService,
    ShareRepository,
    ShareService,
    SummaryRepository,
    RecoveryScheduler,
    TurnTasks,
    ContextAttachmentsService,
    TransferRepository,
    CancelTurnsDeletionHook,
    TurnRepository,
    TurnRunner,
    TurnService,
  ],
  exports: [AttachmentsModule, CancelTurnsDeletionHook, TurnResponder, TurnRunner, TurnService],
})
export class ChatModule {}
