import { Module } from '@nestjs/common';
import { UsageController } from './usage.controller.js';
import { UsageModule } from './usage.module.js';
import { UsageService } from './usage.service.js';

/** Routes of the ledger, for the API; every process uses the ledger itself. */
@Module({ imports: [UsageModule], controllers: [UsageController], providers: [UsageService] })
export class UsageApiModule {}
