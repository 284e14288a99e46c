import { Module } from '@nestjs/common';
import { AppConfig } from '../config/index.js';
import { PriceTable } from './accounting/price-table.js';

/** What models cost, for whoever has to know without asking a model. */
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
