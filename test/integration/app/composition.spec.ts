import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ApiModule } from '../../../src/app/api.module.js';
import { WorkerModule } from '../../../src/app/worker.module.js';
import { llmConfig } from '../../../src/config/index.js';
import { API_ONLY, injectablesOf, JOBS, runtimeOver } from '../../support/composition.js';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.js';

let database: TestDatabase;

beforeEach(async () => {
  database = await createMigratedDatabase();
});

afterEach(async () => {
  await database.drop();
});

describe('on PostgreSQL alone', () => {
  it('everything of the API is there, jobs included', async () => {
    const names = await injectablesOf(ApiModule.forRoot(runtimeOver(database.url)));
    expect(names).toEqual(expect.arrayContaining([...API_ONLY, ...JOBS, 'PrismaService', llmConfig.KEY]));
  });

  it('everything of the worker is there, and nothing of the API', async () => {
    const names = await injectablesOf(WorkerModule.forRoot(runtimeOver(database.url)));
    expect(names).toEqual(expect.arrayContaining([...JOBS, 'PrismaService', llmConfig.KEY]));
    expect(names.filter((name) => API_ONLY.includes(name))).toEqual([]);
  });

  it('a class whose injected type is erased would be found', async () => {
    @Injectable()
    class Erased {
      constructor(readonly service: object) {}
    }
    await expect(Test.createTestingModule({ providers: [Erased] }).compile()).rejects.toThrow(
      /can't resolve dependencies of the Erased/,
    );
  });
});
