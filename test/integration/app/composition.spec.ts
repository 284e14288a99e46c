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

describe('with PostgreSQL only', () => {
  it('the API module has all its classes, including the job classes', async () => {
    const names = await injectablesOf(ApiModule.forRoot(runtimeOver(database.url)));
    expect(names).toEqual(expect.arrayContaining([...API_ONLY, ...JOBS, 'PrismaService', llmConfig.KEY]));
  });

  it('the worker module has all its classes, and none that are for the API only', async () => {
    const names = await injectablesOf(WorkerModule.forRoot(runtimeOver(database.url)));
    expect(names).toEqual(expect.arrayContaining([...JOBS, 'PrismaService', llmConfig.KEY]));
    expect(names.filter((name) => API_ONLY.includes(name))).toEqual([]);
  });

  it('a class whose injected type was erased fails to resolve', async () => {
    @Injectable()
    class Erased {
      constructor(readonly service: object) {}
    }
    await expect(Test.createTestingModule({ providers: [Erased] }).compile()).rejects.toThrow(
      /can't resolve dependencies of the Erased/,
    );
  });
});
