import { Inject, Injectable, Optional, type OnApplicationShutdown } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { llmConfig } from '../../config/index.js';
import {
  CredentialSource,
  mediaKindsOf,
  type MediaKind,
  type ModelCall,
  type Protocol,
} from '../port/index.js';
import { type ContextWindow, ContextWindows, smallestContextWindow } from './context-windows.js';
import { MediaSupport, type MediaSupportLevel } from './media-support.js';
import { ModelDirectory, type ProviderHealth, type ResolvedModel } from './model-directory.js';

/** The catalog of available models and their capabilities. Answers without a model call. */
@Injectable()
export class ModelCatalog implements OnApplicationShutdown {
  private readonly windows: ContextWindows;
  private readonly mediaSupport = new MediaSupport();

  constructor(
    private readonly directory: ModelDirectory,
    @Inject(llmConfig.KEY) { windows }: ConfigType<typeof llmConfig>,
    @Optional() private readonly credentials?: CredentialSource,
  ) {
    this.windows = new ContextWindows(windows);
  }

  /**
   * Resolves a name, or the default model if there is no name.
   * @throws AppError `model_not_found`, `provider_unavailable`
   */
  resolve(name: string | undefined): Promise<ResolvedModel> {
    return this.directory.resolve(name);
  }

  /**
   * Returns the name to store with a turn: a full model name, or an unchanged alias, whose chain is resolved
   * for each call.
   * @throws AppError as `resolve` does
   */
  canonicalName(name: string | undefined): Promise<string> {
    return this.directory.canonicalName(name);
  }

  /**
   * Returns the context window of a model; for an alias, the smallest of its chain. Providers are queried
   * rarely, and only with a short timeout.
   * @throws AppError as `resolve` does
   */
  async contextWindow(name: string | undefined): Promise<ContextWindow> {
    const chain = await this.directory.resolveChain(name);
    const windows = chain.map((model) =>
      this.windows.contextWindowOf(model, () => this.directory.listedWindow(model)),
    );
    return smallestContextWindow(await Promise.all(windows));
  }

  /**
   * Returns the id of the provider that is called for a name; for an alias, that of its first model.
   * @throws AppError as `resolve` does
   */
  async providerOf(name: string | undefined): Promise<string | undefined> {
    const [first] = await this.directory.resolveChain(name);
    return first?.provider;
  }

  /** Returns the full names of all models. */
  modelNames(): Promise<string[]> {
    return this.directory.names();
  }

  /** Returns the ids of the configured providers, which are the prefixes of their models' names. */
  providerIds(): readonly string[] {
    return this.directory.providerIds();
  }

  /** Returns the names that stand for chains of models. */
  aliases(): readonly string[] {
    return this.directory.aliasNames;
  }

  /**
   * Returns the full name of a model that a client names in a provider's own protocol, where a bare name means that
   * provider.
   * @throws AppError `provider_unavailable`, `model_not_found`
   */
  nameInProtocol(protocol: Protocol, name: string): Promise<string> {
    return this.directory.nameInProtocol(protocol, name);
  }

  /** Returns the state of each provider. */
  providerHealth(): Promise<ProviderHealth[]> {
    return this.directory.health();
  }

  /**
   * Returns the support of a model of this name for all of these kinds of media. A model of unknown support refuses
   * by itself what it does not support.
   * @throws AppError as `resolve` does
   */
  async mediaSupportLevel(
    { model, userId }: Pick<ModelCall, 'model' | 'userId'>,
    kinds: ReadonlySet<MediaKind>,
  ): Promise<MediaSupportLevel> {
    const chain = await this.directory.resolveChain(model);
    return this.mediaSupport.supportLevel(chain, kinds, this.keyOf(userId));
  }

  /**
   * Returns the models to call, in order. For an alias these are only the models that support the media of the
   * request, or all of them if none does, so that the first refuses.
   * @throws AppError as `resolve` does
   */
  async chainFor({ model, userId, request }: ModelCall): Promise<readonly ResolvedModel[]> {
    const chain = await this.directory.resolveChain(model);
    const kinds = mediaKindsOf(request);
    if (chain.length < 2 || kinds.size === 0) return chain;
    const supporting = await this.modelsSupporting(chain, userId, kinds);
    return supporting.length > 0 ? supporting : chain;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.directory.close();
  }

  private modelsSupporting(
    chain: readonly ResolvedModel[],
    userId: string,
    kinds: ReadonlySet<MediaKind>,
  ): Promise<readonly ResolvedModel[]> {
    return this.mediaSupport.modelsSupporting(chain, kinds, this.keyOf(userId));
  }

  private keyOf(userId: string): (provider: string) => Promise<string | undefined> {
    return async (provider) => this.credentials?.credentialFor(userId, provider);
  }
}
