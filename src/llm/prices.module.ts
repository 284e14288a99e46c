import { Module } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { llmConfig } from '../config/index.js';
import { PriceTable } from './accounting/price-table.js';

/** The prices of models, for features that need them without calling a model. */
@Module({
  providers: [
    {
      provide: PriceTable,
      inject: [llmConfig.KEY],
      useFactory: ({ prices }: ConfigType<typeof llmConfig>) => new PriceTable(prices),
    },
  ],
  exports: [PriceTable],
})
export class PricesModule {}
