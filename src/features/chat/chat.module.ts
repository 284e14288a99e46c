import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { UsageModule } from '../usage/index.js';
import { AnswerRepository } from './answer.repository.js';
import { AnswerService } from './answer.service.js';
import { ChatController } from './chat.controller.js';
import { ContextRepository } from './context.repository.js';
import { ContextService } from './context.service.js';
import { ConversationRepository } from './conversation.repository.js';
import { ConversationService } from './conversation.service.js';
import { ConversationsController } from './conversations.controller.js';
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
import { SweepTimer } from './sweep-timer.js';
import { TurnPurge } from './turn-purge.js';
import { TurnRepository } from './turn.repository.js';
import { TurnRunner } from './turn-runner.js';
import { TurnService } from './turn.service.js';

/** Turns and conversations, for the API. */
@Module({
  imports: [LlmModule, RecoveryModule, UsageModule],
  controllers: [
    ChatController,
    ConversationsController,
    SharedController,
    SharesController,
    TransferController,
  ],
  providers: [
    AnswerRepository,
    AnswerService,
    ContextRepository,
    ContextService,
    ConversationRepository,
    ConversationService,
    ExportService,
    ImportService,
    SearchRepository,
    SearchService,
    ShareRepository,
    ShareService,
    SweepTimer,
    TransferRepository,
    TurnPurge,
    TurnRepository,
    TurnRunner,
    TurnService,
  ],
  exports: [TurnPurge, TurnRunner],
})
export class ChatModule {}
