import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FolderStorage } from './folder-storage.js';

let root: string;
let storage: FolderStorage;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'parley-storage-'));
  storage = new FolderStorage(root);
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

async function* failing(bytes?: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes !== undefined) yield await Promise.resolve(bytes);
  throw new Error('broken off');
}

describe('FolderStorage', () => {
  it.each([
    ['before its first byte', undefined],
    ['after some bytes', new Uint8Array(1000)],
  ])('leaves no file if an upload fails %s', async (_when, bytes) => {
    const folder = 'owner';
    for (let attempt = 0; attempt < 50; attempt += 1)
      await expect(storage.put({ folder, name: `file-${attempt}` }, failing(bytes))).rejects.toThrow(
        'broken off',
      );
    // Completes after all pending work of the operating system for the failed files.
    await storage.put({ folder, name: 'last' }, toBytes('x'));
    expect(await readdir(join(root, folder))).toEqual(['last']);
    await storage.delete({ folder, name: 'last' });
  });

  it('rejects a key that exists and leaves its content unchanged', async () => {
    const key = { folder: 'owner', name: 'taken' };
    await storage.put(key, toBytes('first'));
    await expect(storage.put(key, toBytes('second'))).rejects.toMatchObject({ code: 'EEXIST' });
    const read = await Array.fromAsync(await storage.open(key));
    expect(Buffer.concat(read.map((piece) => Buffer.from(piece))).toString()).toBe('first');
  });
});

async function* toBytes(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}
