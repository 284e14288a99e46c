import { Module } from '@nestjs/common';
import { VectorIndexRepository } from './chunks/vector-index.repository.js';
import { VectorIndexService } from './chunks/vector-index.service.js';

/** Builds the indexes for vector search, in the process that runs jobs. */
@Module({ providers: [VectorIndexRepository, VectorIndexService] })
export class VectorIndexModule {}
