import cluster from 'node:cluster';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ApiProcesses } from './api-processes.js';

describe('ApiProcesses', () => {
  afterEach(() => {
    cluster.setupPrimary({ cwd: process.cwd() });
  });

  it('fails to start if the operating system creates none of the processes, instead of waiting for their end', async () => {
    // No process can be created in a folder that does not exist.
    cluster.setupPrimary({ cwd: '/nowhere/at/all' });
    await expect(ApiProcesses.start(2)).rejects.toThrow(/ENOENT|could not start/);
  });
});
