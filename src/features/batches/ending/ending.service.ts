import { Injectable } from '@nestjs/common';
import { FileTooLargeError } from '../../../common/errors.js';
import { DeletedUploadError, ResultFileService } from '../../files/index.js';
import type { InputFault } from '../model/batch.js';
import type { ItemEndStatus } from '../model/batch-item.js';
import type { ClaimedStage, EndingStage, ResultFiles } from '../model/batch-stage.js';
import { BatchItemRepository } from '../rows/batch-item.repository.js';
import { StageRepository } from '../rows/stage.repository.js';
import { toOpenAiResultLine } from './openai-result-line.js';

/** Maximum number of results in memory. */
const PAGE_ITEMS = 200;

/** Interval at which the lease is extended while a file is written, in milliseconds. */
const RENEW_MS = 10_000;

/** The results that a file has. */
const FILE_ITEMS = {
  output: ['completed'],
  error: ['failed', 'cancelled', 'expired'],
} as const satisfies Record<string, readonly ItemEndStatus[]>;

type ResultFile = keyof typeof FILE_ITEMS;

/** The id of a file of results, and the reasons for which there is none although there are results. */
interface WrittenFile {
  readonly id: string | null;
  readonly faults: readonly InputFault[];
}

const NO_FILE: WrittenFile = { id: null, faults: [] };

const NO_FILES: ResultFiles = { output: null, error: null, faults: [] };

/** Fault of a batch whose result files follow. */
const DELAYED: InputFault = {
  code: 'result_files_delayed',
  message: 'The result files could not be stored yet. They are added to the batch as soon as possible.',
  param: null,
  line: null,
};

/** Ends batches: items without a result, then the files of results, then the status. Each step may be repeated. */
@Injectable()
export class EndingService {
  constructor(
    private readonly stages: StageRepository,
    private readonly items: BatchItemRepository,
    private readonly files: ResultFileService,
  ) {}

  /**
   * Ends a batch, or adds the files to one that had to end without them.
   * @throws StageLostError
   * @throws the error of writing its files; the end then begins anew
   */
  async endBatch(stage: EndingStage, signal: AbortSignal): Promise<void> {
    const { endStatus, total } = stage;
    if (stage.hasEnded) {
      await this.stages.addFiles(stage, await this.writeFiles(stage, signal), DELAYED.code);
      return;
    }
    if (total === null) {
      // It was cancelled or has expired while it was validated.
      while (await this.stages.deleteItems(stage));
    } else if (endStatus === 'cancelled' || endStatus === 'expired') {
      while (await this.stages.skipItems(stage, endStatus));
    }
    const hasFiles = stage.api === 'openai' && total !== null;
    // The results are stored, and a file storage that is unavailable must not keep the batch from its end.
    if (hasFiles && stage.isOverdue) await this.stages.finishWithoutFiles(stage, DELAYED);
    else await this.stages.finishBatch(stage, hasFiles ? await this.writeFiles(stage, signal) : NO_FILES);
  }

  private async writeFiles(stage: ClaimedStage, signal: AbortSignal): Promise<ResultFiles> {
    const output = await this.writeFile(stage, 'output', signal);
    const error = await this.writeFile(stage, 'error', signal);
    return { output: output.id, error: error.id, faults: [...output.faults, ...error.faults] };
  }

  /**
   * Writes a file of results, unless there are none. A file that an earlier attempt has written is found again, and one
   * that can never be written must not keep the batch from its end.
   */
  private async writeFile(stage: ClaimedStage, file: ResultFile, signal: AbortSignal): Promise<WrittenFile> {
    const statuses = FILE_ITEMS[file];
    const [first] = await this.items.readResults(stage, { afterLine: 0, limit: 1, statuses });
    if (first === undefined) return NO_FILE;
    try {
      return { id: await this.storeFile(stage, file, signal), faults: [] };
    } catch (error) {
      // Its owner has deleted what an earlier attempt had written.
      if (error instanceof DeletedUploadError) return NO_FILE;
      if (error instanceof FileTooLargeError) return { id: null, faults: [toTooLarge(file)] };
      throw error;
    }
  }

  /** Returns the id of a file of results. */
  private async storeFile(stage: ClaimedStage, file: ResultFile, signal: AbortSignal): Promise<string> {
    const { outputExpiresAfterS } = stage;
    const stored = await this.files.createResult(stage.userId, {
      name: `batch_${stage.id}_${file}.jsonl`,
      mediaType: 'application/jsonl',
      purpose: 'batch_output',
      bytes: this.readLines(stage, FILE_ITEMS[file], signal),
      expiresAfterS: outputExpiresAfterS ?? undefined,
      // A batch that is retried ends more than once, with other results.
      key: `${stage.id}:${String(stage.endingAt?.getTime() ?? 0)}:${file}`,
    });
    return stored.id;
  }

  private async *readLines(
    stage: ClaimedStage,
    statuses: readonly ItemEndStatus[],
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    let afterLine = 0;
    let renewedAt = performance.now();
    for (;;) {
      signal.throwIfAborted();
      const results = await this.items.readResults(stage, { afterLine, limit: PAGE_ITEMS, statuses });
      const last = results.at(-1);
      if (last === undefined) return;
      yield Buffer.from(results.map((item) => `${toOpenAiResultLine(item, stage.id)}\n`).join(''));
      afterLine = last.line;
      if (performance.now() - renewedAt > RENEW_MS) {
        await this.stages.renewStage(stage);
        renewedAt = performance.now();
      }
    }
  }
}

function toTooLarge(file: ResultFile): InputFault {
  return {
    code: 'result_file_too_large',
    message: `The ${file} file would be larger than 2 GB, the maximum. Send the requests in several batches.`,
    param: null,
    line: null,
  };
}
