import { Module } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { ByteLimiter } from '../../common/byte-limiter.js';
import { contextConfig } from '../../config/index.js';
import { LlmModule } from '../../llm/index.js';
import { FileCoreModule } from '../files/index.js';
import { AttachmentLoader } from './attachments/attachment-loader.js';
import { AttachmentRepository } from './attachments/attachment.repository.js';
import { AttachmentService } from './attachments/attachment.service.js';
import { ModelMedia } from './attachments/model-media.js';

/** Maximum wait of a request for the memory that its files need, in milliseconds. */
const FILES_WAIT_MS = 10_000;

/** Files that are sent to models, and the limit on their memory, for every process that calls models for clients. */
@Module({
  imports: [FileCoreModule, LlmModule],
  providers: [
    AttachmentLoader,
    AttachmentRepository,
    AttachmentService,
    {
      provide: ByteLimiter,
      inject: [contextConfig.KEY],
      useFactory: ({ maxFileBytes }: ConfigType<typeof contextConfig>) =>
        new ByteLimiter(maxFileBytes, FILES_WAIT_MS),
    },
    ModelMedia,
  ],
  exports: [AttachmentLoader, AttachmentRepository, AttachmentService, ByteLimiter, ModelMedia],
})
export class AttachmentsModule {}
