import { Injectable } from '@nestjs/common';
import { AppError, NotFoundError } from '../../../common/errors.js';
import { toStorableText } from '../../../common/stored-text.js';
import { FileService } from '../../files/index.js';
import { BATCH_LIMITS, type InputFault } from '../model/batch.js';
import { BatchEndpoints } from '../model/batch-endpoints.js';
import type { NewBatchItem } from '../model/batch-item.js';
import type { ParsedLine, ParseLine } from '../model/input-line.js';
import { type ClaimedStage, StageRepository } from '../rows/stage.repository.js';
import { type FileLine, splitLines } from './split-lines.js';
import { parserFor } from './parser-for.js';

/** Maximum number of items, and of bytes of their requests, that are inserted at once. */
const INSERT_SIZE = { items: 500, bytes: 2 * 2 ** 20 } as const;

/** Maximum number of models whose providers are remembered: the rest is looked up again. */
const MAX_MODELS = 1_000;

/** Attempts after which a validation fails that never came to its end. */
const MAX_ATTEMPTS = 5;

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
    const faults =
      stage.attempts > MAX_ATTEMPTS ? [UNREADABLE] : await this.readInput(stage, reading, signal);
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
      for await (const line of splitLines(bytes, BATCH_LIMITS.lineBytes)) {
        signal.throwIfAborted();
        await reading.addLine(line);
        if (reading.isFull) break;
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
  private readonly faults: InputFault[] = [];
  private readonly laneOf = new Map<string | undefined, string>();
  private readonly found = new Set<string>();
  private readonly parseLine: ParseLine;
  private waiting: NewBatchItem[] = [];
  private waitingBytes = 0;

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
    return this.faults.length >= BATCH_LIMITS.listedFaults || this.total > BATCH_LIMITS.items;
  }

  async addLine({ number, bytes }: FileLine): Promise<void> {
    this.total += 1;
    if (this.total > BATCH_LIMITS.items) {
      this.addFault(TOO_MANY, null);
      return;
    }
    const parsed = bytes === undefined ? TOO_LONG : this.parseBytes(bytes, number);
    if ('fault' in parsed) {
      this.addFault(parsed.fault, number);
      return;
    }
    const { customId, body, model } = parsed.line;
    if (toStorableText(customId) !== customId || customId.length > BATCH_LIMITS.customIdLength) {
      this.addFault(BAD_ID, number);
      return;
    }
    const request = JSON.stringify(body);
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

const BAD_ID = {
  code: 'invalid_custom_id',
  message: `custom_id must be a text of at most ${BATCH_LIMITS.customIdLength} characters without NUL and lone surrogates.`,
  param: 'custom_id',
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
