import { LRUCache } from 'lru-cache';
import { AppError } from '../../common/errors.js';
import { withTimeout } from '../../common/with-timeout.js';
import type { ListedModel, ModelIdentity, ModelProvider, Protocol } from '../port/index.js';

/** Lifetime of a provider's cached list of models, in milliseconds. */
const LIST_TTL_MS = 300_000;

/** Lifetime of a cached failure to get a list, in milliseconds. */
const FAILURE_TTL_MS = 5_000;

/** Precision of these times, in milliseconds: how often the cache reads the clock. */
const TTL_RESOLUTION_MS = 100;

/** Maximum wait for a list, in milliseconds. */
const LIST_TIMEOUT_MS = 5_000;

/**
 * Maximum wait for a list by callers that can do without it, in milliseconds. The request continues for the
 * next caller.
 */
const WINDOW_WAIT_MS = 500;

/** Maximum number of models listed in the error message for an unknown one. */
const NAMED_IN_ERROR = 20;

/** Matches names of models that do something other than chat; the lists do not say. */
const DOES_NOT_CHAT =
  /embed|moderation|whisper|transcribe|tts|audio|realtime|image|dall-e|sora|rerank|turbo-instruct|davinci|babbage/i;

/** A model and the provider that serves it. */
export interface ResolvedModel extends ModelIdentity {
  readonly modelProvider: ModelProvider;
}

/** The state of a provider as shown on the health page. */
export interface ProviderHealth {
  readonly id: string;
  readonly status: 'ok' | 'unavailable';
  /** Number of models that it lists. */
  readonly models: number;
}

/** List of a provider, undefined if it could not be read. */
interface ModelList {
  readonly models: readonly ListedModel[] | undefined;
}

/** Lists the available models and resolves names to providers. */
export class ModelDirectory {
  private readonly lists: LRUCache<string, ModelList, ModelProvider>;
  /** Ids in the latest list of each provider, also while it is unavailable. */
  private readonly listedIds = new Map<string, ReadonlySet<string>>();

  /** @param providers in the order in which a bare name is looked up; the demo comes last */
  constructor(
    private readonly providers: readonly ModelProvider[],
    private readonly defaultModel: string | undefined,
    private readonly aliases: Readonly<Record<string, readonly string[]>> = {},
  ) {
    this.lists = new LRUCache({
      max: Math.max(1, providers.length),
      ttl: LIST_TTL_MS,
      // By default the cache starts a timer in each millisecond in which it is read.
      ttlResolution: TTL_RESOLUTION_MS,
      fetchMethod: async (_id, _stale, { options, context: provider }) => {
        try {
          const models = await provider.listModels(AbortSignal.timeout(LIST_TIMEOUT_MS));
          this.listedIds.set(provider.id, new Set(models.map(({ id }) => id)));
          return { models };
        } catch {
          options.ttl = FAILURE_TTL_MS;
          return { models: undefined };
        }
      },
    });
  }

  /**
   * Returns the models for a name, in the order in which they are called: those of an alias, or the single one
   * that it names.
   * @throws AppError as `resolve` does
   */
  async resolveChain(name: string | undefined): Promise<readonly ResolvedModel[]> {
    const names = this.chainOf(name);
    return names === undefined
      ? [await this.resolve(name)]
      : Promise.all(names.map((one) => this.resolve(one)));
  }

  /**
   * Returns the name to store for later calls: an alias unchanged, else the full name of the model.
   * @throws AppError as `resolve` does
   */
  async canonicalName(name: string | undefined): Promise<string> {
    const alias = name ?? this.defaultModel;
    if (alias === undefined || this.chainOf(alias) === undefined) return (await this.resolve(name)).name;
    await this.resolveChain(alias);
    return alias;
  }

  /**
   * Resolves a name: `provider/model`, or a bare name that is looked up in the providers in order. Without a
   * name, returns the default, which is the first model of the first provider: the demo only if no other is
   * configured.
   * @throws AppError `model_not_found`, or `provider_unavailable` if no list could be read
   */
  async resolve(name: string | undefined): Promise<ResolvedModel> {
    const wanted = name ?? this.defaultModel;
    if (wanted === undefined) return this.firstModel();
    const named = this.namedIn(wanted);
    if (named !== undefined) return resolved(named, wanted.slice(wanted.indexOf('/') + 1));
    return this.lookUp(wanted);
  }

  /**
   * Returns the first provider that uses a protocol.
   * @throws AppError `provider_unavailable` if none is configured
   */
  providerForProtocol(protocol: Protocol): ModelProvider {
    const provider = this.providers.find((one) => one.protocol === protocol);
    if (provider !== undefined) return provider;
    throw new AppError(
      'provider_unavailable',
      `No provider with the API format '${protocol}' is configured.`,
    );
  }

  /**
   * Returns the full name of a model that a client names in a provider's own protocol. A bare name means the
   * first provider of the protocol, even if it does not list the model. An alias stays unchanged; only its
   * models of that protocol will be called.
   * @throws AppError `provider_unavailable` if there is no such provider, `model_not_found` for a model of
   * another protocol
   */
  async nameInProtocol(protocol: Protocol, name: string): Promise<string> {
    const { id } = this.providerForProtocol(protocol);
    const alias = this.chainOf(name) !== undefined;
    if (!alias && this.namedIn(name) === undefined) return `${id}/${name}`;
    const chain = await this.resolveChain(name);
    if (chain.some(({ modelProvider: source }) => source.protocol === protocol)) return name;
    throw new AppError('model_not_found', `The model '${name}' does not belong to the provider '${id}'.`, {
      param: 'model',
    });
  }

  /** Returns the names that stand for chains of models. */
  get aliasNames(): readonly string[] {
    return Object.keys(this.aliases);
  }

  /**
   * Returns the full names of all models, in the providers' order. Providers whose list cannot be read are
   * omitted.
   */
  async names(): Promise<string[]> {
    const lists = await Promise.all(
      this.providers.map(async (provider) => {
        const models = await this.listOf(provider);
        return (models ?? []).map(({ id }) => `${provider.id}/${id}`);
      }),
    );
    return lists.flat();
  }

  /** Returns true if the latest list of its provider contains a model. Requests no list. */
  isListed({ provider, model }: ModelIdentity): boolean {
    const ids = this.listedIds.get(provider);
    return ids !== undefined && (ids.has(model) || ids.has(`${model}:latest`));
  }

  /** Returns the ids in the order in which a bare name is looked up. */
  providerIds(): readonly string[] {
    return this.providers.map(({ id }) => id);
  }

  /**
   * Returns the state of each provider. Answers from the cached lists, so frequent requests cost a provider
   * nothing.
   */
  async health(): Promise<ProviderHealth[]> {
    return Promise.all(
      this.providers.map(async (provider) => {
        const models = await this.listOf(provider);
        return {
          id: provider.id,
          status: models === undefined ? ('unavailable' as const) : ('ok' as const),
          models: models?.length ?? 0,
        };
      }),
    );
  }

  /**
   * Returns the context window of a model from its provider's list, in tokens; undefined if the list does not
   * contain it, or does not arrive in time. Never fails.
   */
  async listedWindow({ modelProvider: source, model }: ResolvedModel): Promise<number | undefined> {
    const models = await withTimeout(WINDOW_WAIT_MS, () => this.listOf(source)).catch(() => undefined);
    return models && entryOf(models, model)?.contextWindow;
  }

  /** Closes the providers' connections. */
  async close(): Promise<void> {
    await Promise.all(this.providers.map((provider) => provider.close()));
  }

  /** Returns the provider of a full name. */
  private namedIn(name: string): ModelProvider | undefined {
    const id = name.slice(0, Math.max(0, name.indexOf('/')));
    return this.providers.find((provider) => provider.id === id);
  }

  private chainOf(name: string | undefined): readonly string[] | undefined {
    const asked = name ?? this.defaultModel ?? '';
    return Object.hasOwn(this.aliases, asked) ? this.aliases[asked] : undefined;
  }

  private async lookUp(name: string): Promise<ResolvedModel> {
    let unread: ModelProvider | undefined;
    for (const provider of this.providers) {
      const models = await this.listOf(provider);
      if (models !== undefined && entryOf(models, name) !== undefined) return resolved(provider, name);
      if (models === undefined) unread ??= provider;
    }
    // A host whose list cannot be read may have the model; if not, it refuses by itself.
    if (unread !== undefined) return resolved(unread, name);
    throw await this.notFound(name);
  }

  private async firstModel(): Promise<ResolvedModel> {
    const [first] = this.providers;
    const models = (first && (await this.listOf(first))) ?? [];
    const model = models.find(({ id }) => !DOES_NOT_CHAT.test(id)) ?? models[0];
    if (first !== undefined && model !== undefined) return resolved(first, model.id);
    throw new AppError(
      'provider_unavailable',
      'No default model: the provider does not list its models at the moment. Set `model`, or have the operator set DEFAULT_MODEL.',
    );
  }

  private async notFound(name: string): Promise<AppError> {
    const names = await this.names();
    const shown = names.slice(0, NAMED_IN_ERROR).join(', ');
    const more = names.length > NAMED_IN_ERROR ? ` and ${String(names.length - NAMED_IN_ERROR)} more` : '';
    return new AppError(
      'model_not_found',
      `There is no model '${name}'. Available models: ${shown}${more}.`,
      {
        param: 'model',
      },
    );
  }

  /** Returns undefined if the list cannot be read. Never rejects. */
  private async listOf(provider: ModelProvider): Promise<readonly ListedModel[] | undefined> {
    return (await this.lists.forceFetch(provider.id, { context: provider })).models;
  }
}

/**
 * Finds an entry by name. Ollama lists its models with their tag, and accepts names without it if the tag is
 * `latest`.
 */
function entryOf(models: readonly ListedModel[], name: string): ListedModel | undefined {
  return models.find(({ id }) => id === name || id === `${name}:latest`);
}

function resolved(source: ModelProvider, model: string): ResolvedModel {
  return { modelProvider: source, provider: source.id, model, name: `${source.id}/${model}` };
}
