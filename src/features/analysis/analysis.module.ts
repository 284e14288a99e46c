import { Module } from '@nestjs/common';
import { ChatModule } from '../chat/index.js';
import { FilesModule } from '../files/index.js';
import { AnalysisController } from './analysis.controller.js';
import { AnalysisResponder } from './analysis-responder.js';
import { AnalysisService } from './analysis.service.js';

/** Questions about PDFs, for the API. */
@Module({
  imports: [ChatModule, FilesModule],
  controllers: [AnalysisController],
  providers: [AnalysisResponder, AnalysisService],
})
export class AnalysisModule {}
