import { Injectable } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { AppError, InvalidRequestError } from '../../common/errors.js';
import { AccountAccessService } from '../../features/auth/index.js';
import { type BatchEndpoint, BatchEndpoints, type EndpointCall } from '../../features/batches/index.js';
import { assertScope, errorEntry, parseJsonText, SchemaPipe, toErrorBody } from '../../http/index.js';
import { type CallHandling, ModelCatalog } from '../../llm/index.js';
import { toCanonicalChat, toCanonicalCompletion } from './canonical-body.js';
import type { ChatCompletionBody } from './chat-completion-body.js';
import { ChatCompletionsService } from './chat-completions.service.js';
import { type CompletionBody, CompletionsService } from './completions.service.js';
import { type EmbeddingBody, EmbeddingsService } from './embeddings.service.js';
import { CHAT_COMPLETION, COMPLETION, EMBEDDING } from './schemas.js';

/** A request whose caller is known. */
interface Request {
  readonly caller: Caller;
  readonly body: unknown;
  readonly signal: AbortSignal;
  readonly handling: CallHandling;
}

/** Answers the requests of batches with the services of the routes. */
@Injectable()
export class OpenAiBatchEndpoints extends BatchEndpoints {
  private readonly chat = new SchemaPipe<ChatCompletionBody>(CHAT_COMPLETION, toCanonicalChat);
  private readonly completion = new SchemaPipe<CompletionBody>(COMPLETION, toCanonicalCompletion);
  private readonly embedding = new SchemaPipe<EmbeddingBody>(EMBEDDING);

  private readonly answers: Readonly<Record<BatchEndpoint, (request: Request) => Promise<string>>> = {
    '/v1/chat/completions': (request) => this.answerChat(request),
    '/v1/completions': (request) => this.answerCompletion(request),
    '/v1/embeddings': (request) => this.answerEmbedding(request),
  };

  constructor(
    private readonly access: AccountAccessService,
    private readonly chatCompletions: ChatCompletionsService,
    private readonly completions: CompletionsService,
    private readonly embeddings: EmbeddingsService,
    private readonly models: ModelCatalog,
  ) {
    super();
  }

  override async answer({ endpoint, caller, body, signal, recordUsage }: EndpointCall): Promise<string> {
    return this.answers[endpoint]({
      caller: await this.access.getCaller(caller),
      body,
      signal,
      handling: {
        accounting: {
          record: ({ callId }, attempts) => {
            recordUsage(callId, attempts);
          },
        },
        priority: 'background',
      },
    });
  }

  override parseJson(text: Buffer): unknown {
    return parseJsonText(text);
  }

  override errorBody(error: AppError, requestId: string): { readonly status: number; readonly body: string } {
    return { status: errorEntry(error.code).status, body: JSON.stringify(toErrorBody(error, requestId)) };
  }

  override async findLane(model: string | undefined): Promise<string | undefined> {
    try {
      return await this.models.providerOf(model);
    } catch (error) {
      // Whether it is unknown or its provider cannot be asked now: the answer to each request says so.
      if (error instanceof AppError) return undefined;
      throw error;
    }
  }

  private async answerChat({ caller, body, signal, handling }: Request): Promise<string> {
    const request = this.chat.transform(body);
    assertNotStreamed(request);
    if (request.collection !== undefined && request.collection !== null)
      assertScope(caller, 'rag', "The field 'collection'");
    const { completion } = await this.chatCompletions.complete(caller, request, signal, handling);
    return completion;
  }

  private async answerCompletion({ caller, body, signal, handling }: Request): Promise<string> {
    const request = this.completion.transform(body);
    assertNotStreamed(request);
    const { completion } = await this.completions.complete(caller, request, signal, handling);
    return JSON.stringify(completion);
  }

  private async answerEmbedding({ caller, body, signal, handling }: Request): Promise<string> {
    const request = this.embedding.transform(body);
    return JSON.stringify(await this.embeddings.create(caller, request, signal, handling));
  }
}

function assertNotStreamed({ stream }: { readonly stream?: boolean | null }): void {
  if (stream !== true) return;
  const message = 'stream must not be true: the requests of a batch are not streamed';
  throw new InvalidRequestError(`${message}.`, [{ field: 'stream', message }]);
}
