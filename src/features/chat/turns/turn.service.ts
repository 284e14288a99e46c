import { Injectable } from '@nestjs/common';
import {
  AppError,
  IdempotencyKeyReusedError,
  InvalidRequestError,
  NotFoundError,
} from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { countTokensOfEach, LlmService, ModelCatalog } from '../../../llm/index.js';
import { PASSAGE_TOKENS, PassageFinder } from '../../rag/index.js';
import { type AnswerStream, awaitOutcome } from '../streams/answer-stream.js';
import { AttachmentService, NO_FILES, type QuestionFiles } from '../attachments/attachment.service.js';
import { mergeParameters } from '../messages/generation-parameters.js';
import { AnswerService } from '../generation/answer.service.js';
import { IdempotencyRepository } from './idempotency.repository.js';
import type { LiveAnswer } from '../generation/live-answer.js';
import { isUnavailable, retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';
import { type OutputCheck, compileOutputCheck } from '../generation/output-check.js';
import { TurnTargetResolver } from './turn-target.resolver.js';
import { truncateTitle } from '../model/title.js';
import type { FinishedAnswer, GenerationSpec, Idempotency, Turn, TurnRequest } from '../model/turn.js';
import type { TurnRetrieval } from '../model/answer-sources.js';
import type { AnswerParameters } from '../model/answer-parameters.js';
import type { NewMessage, ResolvedTarget } from '../model/turn-target.js';
import { type NewTurn, type NewMessageRow, TurnRepository } from './turn.repository.js';
import { TurnRunner } from '../generation/turn-runner.js';

/**
 * Delays between attempts to find out whether a turn was stored, in milliseconds. Their total is well within its
 * lease.
 */
const LOOKUP_DELAYS_MS: readonly number[] = [100, 300, 1000, 2000, 2000, 2000, 2000, 2000];

/** Result of a request: an answer to follow, and whether an earlier request started it. */
export interface StartedTurn {
  readonly answer: AnswerStream;
  readonly replayed: boolean;
}

/** Runs turns: stores a question, then generates and stores its answer. */
@Injectable()
export class TurnService {
  /**
   * Requests with an idempotency key that are currently starting here. Duplicates wait, so they reserve no budget.
   */
  private readonly pendingByKey = new Map<string, Promise<StartedTurn>>();

  constructor(
    private readonly llm: LlmService,
    private readonly models: ModelCatalog,
    private readonly targets: TurnTargetResolver,
    private readonly attachments: AttachmentService,
    private readonly turns: TurnRepository,
    private readonly runner: TurnRunner,
    private readonly answers: AnswerService,
    private readonly keys: IdempotencyRepository,
    private readonly passages: PassageFinder,
  ) {}

  /**
   * Stores the question and starts to generate the answer. From then on the turn continues on its own, whether or
   * not a client is listening. If the same request came before, returns the answer that it started.
   * @throws AppError `model_not_found` or `provider_unavailable`
   * @throws NotFoundError
   * @throws ConversationBusyError
   * @throws IdempotencyKeyReusedError
   * @throws InvalidRequestError for files that cannot be sent
   * @throws AppError anything that the budget of the model layer throws; after any of these errors nothing has been
   *   stored
   */
  async beginTurn(request: TurnRequest): Promise<StartedTurn> {
    const { idempotency } = request;
    const { userId } = request.spec;
    if (idempotency === undefined) return { answer: await this.start(request), replayed: false };
    const name = JSON.stringify([userId, idempotency.route, idempotency.key]);
    for (let first = this.pendingByKey.get(name); first !== undefined; first = this.pendingByKey.get(name)) {
      await first.catch(() => undefined);
    }
    const started = this.beginIdempotentTurn(request, idempotency).finally(() =>
      this.pendingByKey.delete(name),
    );
    this.pendingByKey.set(name, started);
    return started;
  }

  /**
   * Returns the answer of a turn once it has finished successfully.
   * @throws AppError the reason why there is none
   */
  async awaitAnswer(source: AnswerStream, signal: AbortSignal): Promise<FinishedAnswer> {
    const outcome = await awaitOutcome(source, signal);
    if (outcome === undefined) throw new AppError('request_cancelled', 'The request was cancelled.');
    if ('error' in outcome) throw outcome.error;
    return outcome;
  }

  /**
   * Returns the answer that the same request started before; undefined if there was none.
   * @throws IdempotencyKeyReusedError
   * @throws NotFoundError if the answer has been deleted
   */
  async replay(userId: string, idempotency: Idempotency): Promise<StartedTurn | undefined> {
    const known = await this.keys.findRequest(userId, idempotency);
    if (known === undefined) return undefined;
    if (!Buffer.from(known.fingerprint).equals(idempotency.fingerprint))
      throw new IdempotencyKeyReusedError();
    if (known.messageId === null) throw new NotFoundError('answer for the Idempotency-Key', idempotency.key);
    return { answer: await this.answers.findAnswer(userId, known.messageId), replayed: true };
  }

  private async beginIdempotentTurn(request: TurnRequest, idempotency: Idempotency): Promise<StartedTurn> {
    const known = await this.replay(request.spec.userId, idempotency);
    if (known !== undefined) return known;
    try {
      return { answer: await this.start(request), replayed: false };
    } catch (error) {
      // The duplicate ran in another process: it may have committed before we could begin, or it may have taken the
      // concurrency slot or the conversation that we were refused.
      const replayed =
        error instanceof AppError ? await this.replay(request.spec.userId, idempotency) : undefined;
      if (replayed === undefined) throw error;
      return replayed;
    }
  }

  private async start(request: TurnRequest): Promise<LiveAnswer> {
    const { userId, apiKeyId } = request.spec;
    const target = await this.targets.resolveTarget(userId, request.target);
    const model = await this.models.canonicalName(request.spec.model ?? target.previous?.model ?? undefined);
    const parameters = mergeParameters(request.spec.parameters, target.previous?.parameters);
    const retrieval = await this.resolveRetrieval(request, target);
    const spec: GenerationSpec = { ...request.spec, model, parameters, retrieval };
    const check = toOutputCheck(request, parameters);
    const files = await this.attachments.resolveQuestionFiles(
      { userId, model, parameters },
      { target: request.target, resolved: target },
    );
    // Reserved before anything is stored, so that a refusal has no side effects.
    const lease = await this.llm.reserve({
      userId,
      apiKeyId,
      model,
      request: { ...parameters, messages: [{ role: 'user', content: target.prompt }] },
      fileTokens: files.tokens + files.textTokens + (retrieval === undefined ? 0 : PASSAGE_TOKENS),
    });
    try {
      const turn = await this.store({
        spec,
        idempotency: request.idempotency,
        answerId: newId(),
        leaseOwner: newId(),
        hasFiles: files.ids.length > 0,
        ...toTurnPosition(target, files),
      });
      return this.runner.startGeneration(turn, lease, check);
    } catch (error) {
      lease.settle([]);
      throw error;
    }
  }

  /**
   * Returns the collections that an answer is based on: those of the request, otherwise those of the answer that it
   * replaces.
   * @throws NotFoundError
   * @throws AppError `insufficient_scope` if the caller may not use them
   */
  private async resolveRetrieval(
    { spec: { userId }, collections, mayRetrieve, question: asked }: TurnRequest,
    { previous, prompt, question = prompt }: ResolvedTarget,
  ): Promise<TurnRetrieval | undefined> {
    const collectionIds =
      collections === undefined
        ? previous?.collectionIds
        : await this.passages.resolveCollections(userId, collections);
    if (collectionIds === undefined || collectionIds.length === 0) return undefined;
    // The guard checks the field of a request; collections of an earlier answer are in none.
    if (!mayRetrieve)
      throw new AppError(
        'insufficient_scope',
        "The answer is based on collections, which requires the scope 'rag'. The API key lacks it.",
      );
    return { collectionIds, question: asked ?? question };
  }

  /**
   * Stores the turn. If the reply to the commit is lost, the turn may have been stored anyway; then it is ours and
   * continues.
   */
  private async store(turn: NewTurn): Promise<Turn> {
    try {
      return await this.turns.beginTurn(turn);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      const found = await retryWhileUnavailable(() => this.turns.findBegunTurn(turn), LOOKUP_DELAYS_MS).catch(
        () => undefined,
      );
      if (found === undefined) throw error;
      return found;
    }
  }
}

/**
 * Returns the check for an answer's format. If the caller specified no format, an inherited one that cannot be
 * checked is left to the provider.
 */
function toOutputCheck(request: TurnRequest, parameters: AnswerParameters): OutputCheck | undefined {
  if (!request.checkOutput) return undefined;
  try {
    return compileOutputCheck(parameters.response_format);
  } catch (error) {
    if (error instanceof InvalidRequestError && request.spec.parameters.response_format === undefined)
      return undefined;
    throw error;
  }
}

/** Returns the position at which a new turn is stored, and its messages. */
function toTurnPosition(
  target: ResolvedTarget,
  files: QuestionFiles,
): Pick<NewTurn, 'position' | 'systemPrompt' | 'compaction' | 'newMessages'> {
  const { conversationId, systemPrompt, compaction, after } = target;
  const question = target.newMessages.findLast(({ role }) => role === 'user');
  const tokens = countTokensOfEach(target.newMessages.map(({ content }) => content));
  const newMessages = target.newMessages.map((message, index) =>
    toMessageRow(message, message === question ? files : NO_FILES, tokens[index] ?? 0),
  );
  if (conversationId !== undefined)
    return { position: { type: 'known', conversationId, after }, systemPrompt, compaction, newMessages };
  const position = { type: 'new', conversationId: newId(), title: truncateTitle(target.prompt) } as const;
  return { position, systemPrompt, compaction, newMessages };
}

function toMessageRow(message: NewMessage, files: QuestionFiles, tokens: number): NewMessageRow {
  const { role, content } = message;
  const toolCallId = message.role === 'tool' ? message.toolCallId : null;
  const tokenCount = tokens + files.tokens;
  return { id: newId(), role, content, tokenCount, toolCallId, fileIds: files.ids };
}
