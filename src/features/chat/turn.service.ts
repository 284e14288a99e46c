import { Injectable } from '@nestjs/common';
import { countTokens, LlmService } from '../../llm/index.js';
import type { LiveTurn } from './live-turn.js';
import type { CompleteAnswer, Turn, TurnRequest } from './turn.js';
import { TurnRepository } from './turn.repository.js';
import { TurnRunner } from './turn-runner.js';

/** Most characters of a title that is made of a question. */
const TITLE_LENGTH = 80;

/** A turn: a question is stored, its answer generated and stored. */
@Injectable()
export class TurnService {
  constructor(
    private readonly llm: LlmService,
    private readonly turns: TurnRepository,
    private readonly runner: TurnRunner,
  ) {}

  /**
   * Stores the question and begins to generate the answer. From then on the turn goes on by itself, whether anybody
   * listens or not.
   * @throws AppError `model_not_found`, `provider_unavailable`, NotFoundError, ConversationBusyError, and what
   *   the model layer's budget throws: nothing is stored then
   */
  async begin(request: TurnRequest): Promise<LiveTurn> {
    const model = await this.llm.canonicalName(request.model);
    const { message: question, ...rest } = request;
    // Before anything is stored: a refusal leaves nothing behind.
    const lease = await this.llm.reserve({
      userId: request.userId,
      apiKeyId: request.apiKeyId,
      model,
      request: {
        messages: [{ role: 'user', content: question }],
        ...(request.maxTokens !== undefined && { max_completion_tokens: request.maxTokens }),
      },
    });
    let turn: Turn;
    try {
      turn = await this.turns.begin({
        ...rest,
        model,
        question,
        questionTokens: countTokens(question),
        title: titleOf(question),
      });
    } catch (error) {
      lease.settle([]);
      throw error;
    }
    return this.runner.start(turn, lease);
  }

  /**
   * The complete answer of a turn.
   * @throws AppError why there is none
   */
  async answer(live: LiveTurn): Promise<CompleteAnswer> {
    const outcome = await live.outcome();
    if (outcome.status === 'complete') return outcome;
    throw outcome.error;
  }
}

/** The first words of the question. Cut between code points, never within one. */
function titleOf(question: string): string {
  const line = question.trim().replace(/\s+/gu, ' ');
  const points = Array.from(line);
  return points.length <= TITLE_LENGTH
    ? line
    : `${points
        .slice(0, TITLE_LENGTH - 1)
        .join('')
        .trimEnd()}…`;
}
