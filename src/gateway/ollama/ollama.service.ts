import { Injectable } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { newId } from '../../common/ids.js';
import { LlmService, ModelCatalog, type ModelCall } from '../../llm/index.js';
import { type OllamaRequest, toCallParts } from './ollama-request.mapper.js';

/**
 * Ollama's own protocol, passed through. If the client disconnects, the upstream call ends, and only usage is
 * stored.
 */
@Injectable()
export class OllamaService {
  constructor(
    private readonly llm: LlmService,
    private readonly models: ModelCatalog,
  ) {}

  /**
   * Returns the whole answer, as received.
   * @throws AppError if there is none
   */
  async complete(caller: Caller, request: OllamaRequest, signal: AbortSignal): Promise<string> {
    const { raw, completion } = await this.llm.complete(await this.toCall(caller, request, signal));
    return raw ?? JSON.stringify(completion);
  }

  /**
   * Streams the lines of the answer, each as received.
   * @throws AppError from the iteration if there is no answer; before the first line it determines the status
   * of the response
   */
  async *stream(caller: Caller, request: OllamaRequest, signal: AbortSignal): AsyncGenerator<string> {
    for await (const event of this.llm.stream(await this.toCall(caller, request, signal))) {
      if (event.type === 'relayed') yield event.raw;
    }
  }

  /**
   * Returns the server's list of its models, as received.
   * @throws AppError if there is none
   */
  tags(userId: string, signal: AbortSignal): Promise<string> {
    return this.llm.listNativeModels('ollama', userId, signal);
  }

  private async toCall(caller: Caller, request: OllamaRequest, signal: AbortSignal): Promise<ModelCall> {
    const model = await this.models.nameInProtocol('ollama', request.body.model);
    return { callId: newId(), ...caller, model, signal, accounting: 'sink', ...toCallParts(request) };
  }
}
