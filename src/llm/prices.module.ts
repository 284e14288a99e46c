import { Module } from '@nestjs/common';
import { AppConfig } from '../config/index.js';
import { PriceTable } from './accounting/price-table.js';

/** The prices of models, for features that need them without calling a model. */
@Module({
  providers: [
    {
      provide: PriceTable,
      inject: [AppConfig],
      useFactory: ({ llm }: AppConfig) => new PriceTable(llm.prices),
    },
  ],
  exports: [PriceTable],
})
export class PricesModule {}
