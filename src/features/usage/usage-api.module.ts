import { Module } from '@nestjs/common';
import { UsageController } from './usage.controller.js';
import { UsageModule } from './usage.module.js';
import { UsageService } from './usage.service.js';

/** The ledger's routes, for the API; the ledger itself is for every process. */
@Module({ imports: [UsageModule], controllers: [UsageController], providers: [UsageService] })
export class UsageApiModule {}
