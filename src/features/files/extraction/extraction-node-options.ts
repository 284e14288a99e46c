import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../config/index.js';

/** All that the program may read. It may write nothing and start no processes. */
const READABLE = ['dist', 'node_modules', 'package.json'].map((path) => join(PACKAGE_ROOT, path));

/** Heap beyond the memory limit, in megabytes: the watchdog, which counts all memory, is to act first. */
const HEAP_MARGIN_MB = 64;

/**
 * Size of a half of the heap for new objects, in megabytes. Node's default lets garbage grow until a DOCX of 1 MB of XML
 * takes 210 MB instead of 71.
 */
const NEW_SPACE_MB = 4;

/**
 * Stack, in kilobytes: a quarter of what systems give a process. Node's default is half of it, which 900 lists in lists
 * exceed.
 */
const STACK_KB = 2_000;

/** Returns the options of Node that take from a process what no parser needs, and bound its heap and its stack. */
export function extractionNodeOptions(memoryBytes: number): string[] {
  return [
    '--permission',
    ...READABLE.map((path) => `--allow-fs-read=${path}`),
    '--allow-worker',
    '--disallow-code-generation-from-strings',
    `--max-old-space-size=${Math.ceil(memoryBytes / 2 ** 20) + HEAP_MARGIN_MB}`,
    `--max-semi-space-size=${NEW_SPACE_MB}`,
    `--stack-size=${STACK_KB}`,
  ];
}
