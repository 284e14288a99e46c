import { Module } from '@nestjs/common';
import { TextExtractor } from '../extraction/text-extractor.js';
import { FileTextCoreModule } from './file-text-core.module.js';
import { TextProcessor } from './text.processor.js';
import { TextRunnerService } from './text-runner.service.js';

/** The jobs of texts, for the process that runs jobs. */
@Module({
  imports: [FileTextCoreModule],
  providers: [TextExtractor, TextProcessor, TextRunnerService],
})
export class FileTextJobsModule {}
