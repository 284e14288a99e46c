import { Module } from '@nestjs/common';
import { BufferedUsageSink } from './buffered-usage-sink.js';
import { UsageRepository } from './usage.repository.js';

@Module({ providers: [UsageRepository, BufferedUsageSink], exports: [UsageRepository, BufferedUsageSink] })
export class UsageModule {}
