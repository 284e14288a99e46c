import { Injectable } from '@nestjs/common';
import { AppError, NotFoundError } from '../../../common/errors.js';
import { toStorableText } from '../../../common/stored-text.js';
import { FileService } from '../../files/index.js';
import { BATCH_LIMITS, type InputFault } from '../model/batch.js';
import { BatchEndpoints } from '../model/batch-endpoints.js';
import type { NewBatchItem } from '../model/batch-item.js';
import type { ClaimedStage } from '../model/batch-stage.js';
import type { ParsedLine, ParseLine } from '../model/input-line.js';
import { StageRepository } from '../rows/stage.repository.js';
import { type FileLine, isBlankLine, splitLines } from './split-lines.js';
import { parserFor } from './parser-for.js';

/** Maximum number of items, and of bytes of their requests, that are inserted at once. */
const INSERT_SIZE = { items: 500, bytes: 2 * 2 ** 20 } as const;

/** Maximum number of models whose providers are remembered: the rest is looked up again. */
const MAX_MODELS = 1_000;

/** Interval at which the lease is extended while a file is read, in milliseconds. */
const RENEW_MS = 10_000;

/** Length of the name of a model that is shown, in UTF-16 units; a longer one is refused when its requests run. */
const MAX_MODEL_LENGTH = 256;

/** Maximum number of lines of a file, those without content included. */
const MAX_LINES = 1_000_000;

/**
 * Maximum size that the shared fields add to the requests of a file in total, in UTF-16 units: a long system prompt must
 * not become gigabytes.
 */
const MAX_ADDED_LENGTH = 64 * 2 ** 20;

/** Reads the file of a batch as a stream, and stores its requests as items. */
@Injectable()
export class ValidationService {
  constructor(
    private readonly stages: StageRepository,
    private readonly files: FileService,
    private readonly endpoints: BatchEndpoints,
  ) {}

  /**
   * Validates a batch: its items may run, or it has failed with the faults of its input.
   * @throws StageLostError
   * @throws the error of reading the file or the database; the validation then begins anew
   */
  async validateBatch(stage: ClaimedStage, signal: AbortSignal): Promise<void> {
    // What an attempt has stored whose process died.
    await this.deleteItems(stage);
    const reading = new InputReading(stage, this.stages, this.endpoints);
    const faults = stage.isOverdue ? [UNREADABLE] : await this.readInput(stage, reading, signal);
    if (faults.length > 0) return this.fail(stage, faults);
    try {
      await this.stages.startBatch(stage, reading);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'batch_limit_exceeded') throw error;
      await this.fail(stage, [{ code: error.code, message: error.message, param: null, line: null }]);
    }
  }

  private async readInput(
    stage: ClaimedStage,
    reading: InputReading,
    signal: AbortSignal,
  ): Promise<readonly InputFault[]> {
    const file = await this.files.getDownload(stage.userId, stage.inputFileId ?? '').catch(toMissing);
    if (file === undefined) return [MISSING_FILE];
    const bytes = await file.open();
    try {
      let renewedAt = performance.now();
      for await (const line of splitLines(bytes, BATCH_LIMITS.lineBytes)) {
        signal.throwIfAborted();
        await reading.addLine(line);
        if (reading.isFull) break;
        // Not every line is inserted, which renews the lease, too.
        if (performance.now() - renewedAt < RENEW_MS) continue;
        await this.stages.renewStage(stage);
        renewedAt = performance.now();
      }
    } finally {
      bytes.destroy();
    }
    return reading.end();
  }

  private async fail(stage: ClaimedStage, faults: readonly InputFault[]): Promise<void> {
    await this.deleteItems(stage);
    await this.stages.failBatch(stage, faults);
  }

  private async deleteItems(stage: ClaimedStage): Promise<void> {
    while (await this.stages.deleteItems(stage));
  }
}

/** The reading of one file: collects the lines to insert, and the faults. */
class InputReading {
  /** Number of items. */
  total = 0;
  /** First model that a request names; undefined if none does. */
  model: string | undefined;
  private readonly faults: InputFault[] = [];
  private readonly laneOf = new Map<string | undefined, string>();
  private readonly found = new Set<string>();
  private readonly parseLine: ParseLine;
  private waiting: NewBatchItem[] = [];
  private waitingBytes = 0;
  private addedLength = 0;
  private isHopeless = false;

  constructor(
    private readonly stage: ClaimedStage,
    private readonly stages: StageRepository,
    private readonly endpoints: BatchEndpoints,
  ) {
    this.parseLine = parserFor(stage);
  }

  /** Providers of the items. */
  get lanes(): string[] {
    return [...this.found];
  }

  /** True if nothing that follows matters. */
  get isFull(): boolean {
    return this.isHopeless || this.faults.length >= BATCH_LIMITS.listedFaults;
  }

  async addLine({ number, bytes }: FileLine): Promise<void> {
    if (number > MAX_LINES) {
      this.giveUp(TOO_MANY_LINES);
      return;
    }
    if (bytes !== undefined && isBlankLine(bytes)) return;
    this.total += 1;
    if (this.total > BATCH_LIMITS.items) {
      this.giveUp(TOO_MANY);
      return;
    }
    const parsed = bytes === undefined ? TOO_LONG : this.parseBytes(bytes, number);
    if ('fault' in parsed) {
      this.addFault(parsed.fault, number);
      return;
    }
    const { customId, body, model } = parsed.line;
    // In OpenAI's format all of them name the same.
    this.model ??= model?.slice(0, MAX_MODEL_LENGTH);
    const request = JSON.stringify(body);
    this.addedLength += Math.max(0, request.length - (bytes?.length ?? 0));
    if (this.addedLength > MAX_ADDED_LENGTH) {
      this.giveUp(TOO_LARGE);
      return;
    }
    this.waiting.push({ line: number, customId, request, lane: await this.findLane(model) });
    this.waitingBytes += request.length;
    if (this.waiting.length >= INSERT_SIZE.items || this.waitingBytes >= INSERT_SIZE.bytes)
      await this.insert();
  }

  /** Returns the faults of the file. Without any, all of its items are stored. */
  async end(): Promise<readonly InputFault[]> {
    await this.insert();
    if (this.total === 0) this.addFault(EMPTY, null);
    return this.faults;
  }

  private parseBytes(bytes: Buffer, number: number): ParsedLine {
    try {
      return this.parseLine(this.endpoints.parseJson(bytes), number);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return {
        fault: { code: 'invalid_json_line', message: toStorableText(error.message), param: null },
      };
    }
  }

  /** Adds a fault of the whole file: what follows does not matter. */
  private giveUp(fault: Omit<InputFault, 'line'>): void {
    this.addFault(fault, null);
    this.isHopeless = true;
  }

  private addFault(fault: Omit<InputFault, 'line'>, line: number | null): void {
    if (this.faults.length < BATCH_LIMITS.listedFaults) this.faults.push({ ...fault, line });
  }

  private async findLane(model: string | undefined): Promise<string> {
    const known = this.laneOf.get(model);
    if (known !== undefined) return known;
    const lane = (await this.endpoints.findLane(model)) ?? '';
    if (this.laneOf.size >= MAX_MODELS) this.laneOf.clear();
    this.laneOf.set(model, lane);
    this.found.add(lane);
    return lane;
  }

  private async insert(): Promise<void> {
    const items = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    if (items.length === 0) return;
    // With a fault the batch fails, and nothing of it is needed; but equal ids are found by inserting them.
    const inserted = new Set(await this.stages.insertItems(this.stage, items));
    for (const { line, customId } of items) {
      if (!inserted.has(line)) this.addFault(toDuplicate(customId), line);
    }
  }
}

function toMissing(error: unknown): undefined {
  if (!(error instanceof NotFoundError)) throw error;
}

const MISSING_FILE: InputFault = {
  code: 'input_file_not_found',
  message: 'The input file does not exist any more. Upload it again, and create another batch.',
  param: 'input_file_id',
  line: null,
};

const UNREADABLE: InputFault = {
  code: 'internal_error',
  message: 'The input file could not be read. Upload it again, and create another batch.',
  param: 'input_file_id',
  line: null,
};

const TOO_LONG: ParsedLine = {
  fault: {
    code: 'invalid_json_line',
    message: `The line is longer than ${BATCH_LIMITS.lineBytes / 2 ** 20} MB, the maximum.`,
    param: null,
  },
};

const TOO_MANY_LINES = {
  code: 'too_many_tasks',
  message: `The file has more than ${MAX_LINES.toLocaleString('en')} lines. Each line is one request, as JSON.`,
  param: null,
};

const TOO_LARGE = {
  code: 'request_too_large',
  message: `The shared fields make the requests ${MAX_ADDED_LENGTH / 2 ** 20} MB larger in total than the file, the maximum. Shorten the system prompt, or split the file into several batches.`,
  param: null,
};

const TOO_MANY = {
  code: 'too_many_tasks',
  message: `The file has more than ${BATCH_LIMITS.items.toLocaleString('en')} requests. Split it into several batches.`,
  param: null,
};

const EMPTY = {
  code: 'empty_file',
  message: 'The file has no requests. Each line is one request, as JSON.',
  param: null,
};

function toDuplicate(customId: string): Omit<InputFault, 'line'> {
  return {
    code: 'duplicate_custom_id',
    message: `Another line has the custom_id '${customId}', too. Each request needs its own.`,
    param: 'custom_id',
  };
}
