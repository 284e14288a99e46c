// Real child processes of the built program: their number, their end, and what they may do.
import { spawn } from 'node:child_process';
import { on } from 'node:events';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { ProcessKilledError } from '../../../../../src/features/files/extraction/extraction-process.js';
import type { TextExtractor } from '../../../../../src/features/files/extraction/text-extractor.js';
import {
  DEFAULT_LIMITS,
  deflatedEntry,
  DOCX_SHELL,
  docxBody,
  extractFrom,
  extractionProcesses,
  makeExtractor,
  makeZip,
  memoryOf,
  textsOf,
  whenGone,
} from '../../../../support/documents.js';
import { makePdf } from '../../../../support/pdf.js';

const BUILT = join(import.meta.dirname, '../../../../../dist/features/files/extraction/text-extractor.js');

/** A document in whose parser a process stays for a long time without a pause. */
const SLOW_TEXT = '\u0301\u0323'.repeat(5_000_000);

let extractor: TextExtractor;

function useExtractor(limits: Partial<typeof DEFAULT_LIMITS> = {}): TextExtractor {
  extractor = makeExtractor(limits);
  return extractor;
}

/** Yields nothing until it is released, and calls back when it is read. */
function heldBytes(): { bytes: AsyncGenerator<Uint8Array>; read: Promise<void>; release: () => void } {
  const read = Promise.withResolvers<undefined>();
  const released = Promise.withResolvers<undefined>();
  async function* yieldBytes(): AsyncGenerator<Uint8Array> {
    read.resolve(undefined);
    await released.promise;
    yield Buffer.from('Hello');
  }
  return {
    bytes: yieldBytes(),
    read: read.promise,
    release: () => {
      released.resolve(undefined);
    },
  };
}

// The processes have a low priority, and other tests run beside them.
jest.setTimeout(120_000);

const never = new AbortController().signal;

describe('processes for text extraction', () => {
  afterEach(async () => {
    await extractor.beforeApplicationShutdown();
    expect(extractionProcesses()).toEqual([]);
  });

  it('20 documents at once use two processes of low priority, and each gets its own text', async () => {
    useExtractor({ processes: 2 });
    const pdf = await makePdf(['One page']);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, extractionProcesses().length)), 5);
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0
          ? extractFrom(extractor, 'text', `Document ${index}`)
          : extractFrom(extractor, 'pdf', pdf),
      ),
    );
    clearInterval(watch);
    expect(results.map(textsOf)).toEqual(
      Array.from({ length: 20 }, (_, index) => [index % 2 === 0 ? `Document ${index}` : 'One page']),
    );
    expect(most).toBeLessThanOrEqual(2);
    expect(extractionProcesses().map((pid) => getPriority(pid))).toEqual([10, 10]);
  });

  it('a process that is killed while it reads a document says nothing about it, and is replaced', async () => {
    useExtractor();
    const held = heldBytes();
    const result = extractor.extract({ format: 'text', bytes: held.bytes }, never);
    await held.read;
    const [pid = 0] = extractionProcesses();
    const rejected = expect(result).rejects.toThrow(ProcessKilledError);
    process.kill(pid, 'SIGKILL');
    await rejected;
    held.release();
    expect(textsOf(await extractFrom(extractor, 'text', 'Next'))).toEqual(['Next']);
  });

  it('a process that is killed inside a parser says nothing about the document', async () => {
    useExtractor({ memoryBytes: 2 ** 30 });
    const rejected = expect(extractFrom(extractor, 'text', SLOW_TEXT)).rejects.toThrow(ProcessKilledError);
    let pid: number | undefined;
    while (pid === undefined || memoryOf(pid, 'VmRSS') < 150 * 2 ** 20) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      [pid] = extractionProcesses();
    }
    process.kill(pid, 'SIGKILL');
    await rejected;
  });

  it('the signals that a terminal sends to the server and its children do not end a document', async () => {
    useExtractor();
    const held = heldBytes();
    const result = extractor.extract({ format: 'text', bytes: held.bytes }, never);
    await held.read;
    const [pid = 0] = extractionProcesses();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(pid, signal);
    held.release();
    expect(textsOf(await result)).toEqual(['Hello']);
    expect(extractionProcesses()).toEqual([pid]);
  });

  it('an idle process that was killed costs no document', async () => {
    useExtractor();
    await extractFrom(extractor, 'text', 'First');
    const [pid = 0] = extractionProcesses();
    process.kill(pid, 'SIGKILL');
    expect(textsOf(await extractFrom(extractor, 'text', 'Second'))).toEqual(['Second']);
  });

  it('a document that takes too long ends with timeout', async () => {
    useExtractor({ timeoutMs: 300, memoryBytes: 2 ** 30 });
    expect(textsOf(await extractFrom(extractor, 'text', SLOW_TEXT))).toBe('timeout');
  });

  it('an aborted extraction ends its process and rejects with the reason, also while it waits', async () => {
    useExtractor();
    const held = heldBytes();
    const first = new AbortController();
    const second = new AbortController();
    const running = extractor.extract({ format: 'text', bytes: held.bytes }, first.signal);
    const waiting = extractFrom(extractor, 'text', 'Hello', second.signal);
    await held.read;
    const [pid = 0] = extractionProcesses();
    second.abort(new Error('second'));
    await expect(waiting).rejects.toThrow('second');
    first.abort(new Error('first'));
    await expect(running).rejects.toThrow('first');
    await whenGone(pid);
    held.release();
    expect(textsOf(await extractFrom(extractor, 'text', 'Next'))).toEqual(['Next']);
  });

  it('an error of the source rejects the extraction, and the next document is read', async () => {
    useExtractor();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('He');
      throw new Error('The storage is away.');
    }
    await expect(extractor.extract({ format: 'text', bytes: failing() }, never)).rejects.toThrow('storage');
    expect(textsOf(await extractFrom(extractor, 'text', 'Next'))).toEqual(['Next']);
  });

  it('the shutdown ends a running extraction and refuses new ones', async () => {
    useExtractor();
    const held = heldBytes();
    const result = extractor.extract({ format: 'text', bytes: held.bytes }, never);
    const rejected = expect(result).rejects.toThrow('stopping');
    await held.read;
    await extractor.beforeApplicationShutdown();
    await rejected;
    await expect(extractFrom(extractor, 'text', 'Hello')).rejects.toThrow('stopping');
    held.release();
  });

  it('limits of characters and pages end a document', async () => {
    useExtractor({ maxCharacters: 1000, maxPages: 2 });
    expect(textsOf(await extractFrom(extractor, 'text', 'x'.repeat(1001)))).toBe('too_large');
    expect(textsOf(await extractFrom(extractor, 'pdf', await makePdf(['1', '2', '3'])))).toBe(
      'too_many_pages',
    );
    expect(textsOf(await extractFrom(extractor, 'pdf', await makePdf(['1', '2'])))).toEqual(['1', '2']);
  });

  it('limits of the entries of an archive and of their bytes hold exactly, whatever the headers say', async () => {
    const body = docxBody('x'.repeat(10_000));
    const parts = [...DOCX_SHELL, deflatedEntry('word/document.xml', body)];
    const inflated = parts.reduce((sum, { size = 0 }) => sum + size, 0);
    const archive = makeZip(parts);
    useExtractor({ maxEntries: 3, maxInflatedBytes: inflated });
    expect(textsOf(await extractFrom(extractor, 'docx', archive))).toEqual(['x'.repeat(10_000)]);
    await extractor.beforeApplicationShutdown();
    useExtractor({ maxEntries: 2 });
    expect(textsOf(await extractFrom(extractor, 'docx', archive))).toBe('too_large');
    await extractor.beforeApplicationShutdown();
    useExtractor({ maxInflatedBytes: inflated - 1 });
    expect(textsOf(await extractFrom(extractor, 'docx', archive))).toBe('too_large');
  });

  it('a document larger than the memory limit ends with too_large', async () => {
    // Neither the limit of characters nor that of the heap, which have the same code, ends it before the memory does.
    useExtractor({ memoryBytes: 50 * 2 ** 20, maxCharacters: 2 ** 30 });
    expect(textsOf(await extractFrom(extractor, 'text', 'x'.repeat(40 * 2 ** 20)))).toBe('too_large');
  });

  it('after the death of its parent a process ends, also inside a parser', async () => {
    useExtractor();
    const program = `
      const { TextExtractor } = await import(${JSON.stringify(pathToFileURL(BUILT).href)});
      const extractor = new TextExtractor(${JSON.stringify({ ...DEFAULT_LIMITS, memoryBytes: 2 ** 30 })});
      async function* bytes() {
        yield Buffer.from('\\u0301\\u0323'.repeat(5_000_000));
        console.log('sent');
      }
      await extractor.extract({ format: 'text', bytes: bytes() }, new AbortController().signal);
      console.log('done');`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    for await (const [piece] of on(parent.stdout, 'data')) {
      output += String(piece);
      if (output.includes('sent')) break;
    }
    const pids = extractionProcesses(parent.pid);
    expect(pids).toHaveLength(1);
    const [pid = 0] = pids;
    // Its memory shows that it is inside the parser: bytes alone are 20 MB.
    while (memoryOf(pid, 'VmRSS') < 150 * 2 ** 20) await new Promise((resolve) => setTimeout(resolve, 5));
    parent.kill('SIGKILL');
    await whenGone(pid);
    expect(output).not.toContain('done');
  });
});
