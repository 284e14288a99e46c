import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { sendLineStream, toErrorObject } from '../../../http/index.js';
import type { ResultsQuery } from './batch-results.dto.js';
import { toResultsPage } from './batch-result.mapper.js';
import { BatchResultsService } from './batch-results.service.js';
import type { BatchKey } from './batch.service.js';

/** Number of results of a page, unless the query has one. */
const DEFAULT_LIMIT = 100;

/** Sends the results of a batch as lines or as a page. */
@Injectable()
export class BatchResultsResponder {
  constructor(private readonly results: BatchResultsService) {}

  /**
   * Sends the results in the requested form.
   * @throws NotFoundError
   */
  async sendResults(response: Response, key: BatchKey, query: ResultsQuery): Promise<void> {
    const { limit, after, status } = query;
    const filter = { status, withResponse: query.response !== 'none' };
    if (limit === undefined && after === undefined) {
      const lines = await this.results.openLines(key, filter);
      return sendLineStream(response, {
        lines,
        contentType: 'application/jsonl; charset=utf-8',
        // There may be no line at all.
        begin: 'at_once',
        failure: (error) => ({ error: toErrorObject(error) }),
      });
    }
    const selection = { ...filter, afterLine: after ?? 0, limit: limit ?? DEFAULT_LIMIT };
    const page = await this.results.readPage(key, selection);
    response.json(toResultsPage(page, page.form));
  }
}
