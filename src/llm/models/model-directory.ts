import { LRUCache } from 'lru-cache';
import { AppError } from '../../common/errors.js';
import { within } from '../../common/within.js';
import type { ListedModel, ModelIdentity, ModelProvider, Wire } from '../port/index.js';

/** How long a provider's list of models is believed, in milliseconds. */
const LIST_TTL_MS = 300_000;

/** How long a failed try to get a list is remembered, in milliseconds. */
const FAILURE_TTL_MS = 5_000;

/** Longest wait for a list, in milliseconds. */
const LIST_TIMEOUT_MS = 5_000;

/** Longest wait for a list by whoever can do without, in milliseconds. It is read on for the next one. */
const WINDOW_WAIT_MS = 500;

/** How many models the message of an unknown one names. */
const NAMED_IN_ERROR = 20;

/** Words in the names of models that do something else than chat; a list does not tell. */
const DOES_NOT_CHAT =
  /embed|moderation|whisper|transcribe|tts|audio|realtime|image|dall-e|sora|rerank|turbo-instruct|davinci|babbage/i;

/** A provider and the model that it is asked for. */
export interface ResolvedModel extends ModelIdentity {
  readonly source: ModelProvider;
}

/** A provider's state as the health page shows it. */
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

/** Knows which models there are and which provider a name means. */
export class ModelDirectory {
  private readonly lists: LRUCache<string, ModelList, ModelProvider>;

  /** @param providers in the order in which a bare name is looked up; the demo comes last */
  constructor(
    private readonly providers: readonly ModelProvider[],
    private readonly defaultModel: string | undefined,
    private readonly aliases: Readonly<Record<string, readonly string[]>> = {},
  ) {
    this.lists = new LRUCache({
      max: Math.max(1, providers.length),
      ttl: LIST_TTL_MS,
      fetchMethod: async (_id, _stale, { options, context: provider }) => {
        try {
          return { models: await provider.models(AbortSignal.timeout(LIST_TIMEOUT_MS)) };
        } catch {
          options.ttl = FAILURE_TTL_MS;
          return { models: undefined };
        }
      },
    });
  }

  /**
   * The models of a name, in the order in which they are asked: those of an alias, or the one that it means.
   * @throws AppError as `resolve` does
   */
  async resolveChain(name: string | undefined): Promise<readonly ResolvedModel[]> {
    const names = this.chainOf(name);
    return names === undefined
      ? [await this.resolve(name)]
      : Promise.all(names.map((one) => this.resolve(one)));
  }

  /**
   * The name under which to ask from now on: an alias is its own, everything else has the full name of its model.
   * @throws AppError as `resolve` does
   */
  async canonical(name: string | undefined): Promise<string> {
    const alias = name ?? this.defaultModel;
    if (alias === undefined || this.chainOf(alias) === undefined) return (await this.resolve(name)).name;
    await this.resolveChain(alias);
    return alias;
  }

  /**
   * The model of a name: `provider/model`, or a bare name that is looked up in the providers in order. Without a name
   * the default, which is the first model of the first provider: the demo only where no other is configured.
   * @throws AppError `model_not_found`, or `provider_unavailable` where no list could be read
   */
  async resolve(name: string | undefined): Promise<ResolvedModel> {
    const wanted = name ?? this.defaultModel;
    if (wanted === undefined) return this.firstModel();
    const named = this.namedIn(wanted);
    if (named !== undefined) return resolved(named, wanted.slice(wanted.indexOf('/') + 1));
    return this.lookUp(wanted);
  }

  /**
   * The first provider of a wire.
   * @throws AppError `provider_unavailable` where none is configured
   */
  speaking(wire: Wire): ModelProvider {
    const provider = this.providers.find((one) => one.wire === wire);
    if (provider !== undefined) return provider;
    throw new AppError('provider_unavailable', `No provider of the wire '${wire}' is configured here.`);
  }

  /**
   * The name under which a model is asked for on its own wire: a bare one means the first provider of it, whether that
   * lists it or not. An alias stays itself; only its models of the wire will be asked.
   * @throws AppError `provider_unavailable` where there is no such provider, `model_not_found` for a model of another wire
   */
  async nameOn(wire: Wire, name: string): Promise<string> {
    const { id } = this.speaking(wire);
    const alias = this.chainOf(name) !== undefined;
    if (!alias && this.namedIn(name) === undefined) return `${id}/${name}`;
    const chain = await this.resolveChain(name);
    if (chain.some(({ source }) => source.wire === wire)) return name;
    throw new AppError('model_not_found', `The model '${name}' is none of '${id}'.`, { param: 'model' });
  }

  /** The names that stand for chains of models. */
  get aliasNames(): readonly string[] {
    return Object.keys(this.aliases);
  }

  /** The full names of all models whose provider tells them, in the providers' order. */
  async names(): Promise<string[]> {
    const lists = await Promise.all(
      this.providers.map(async (provider) => {
        const models = await this.listOf(provider);
        return (models ?? []).map(({ id }) => `${provider.id}/${id}`);
      }),
    );
    return lists.flat();
  }

  /** In the order in which a bare name is looked up. */
  providerIds(): readonly string[] {
    return this.providers.map(({ id }) => id);
  }

  /** How each provider is. Answers from the remembered lists, so that asking often costs a provider nothing. */
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
   * The window of a model as its provider's list tells it, in tokens; undefined where that does not tell it, or not
   * soon. Never fails.
   */
  async listedWindow({ source, model }: ResolvedModel): Promise<number | undefined> {
    const models = await within(WINDOW_WAIT_MS, () => this.listOf(source)).catch(() => undefined);
    return models && entryOf(models, model)?.contextWindow;
  }

  /** Closes what the providers keep open. */
  async close(): Promise<void> {
    await Promise.all(this.providers.map((provider) => provider.close()));
  }

  /** The provider that a full name names. */
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
    // A host whose list cannot be read may well have the model; it says itself if not.
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
      'No default model: the provider does not tell its models at the moment. Name a model, or set DEFAULT_MODEL.',
    );
  }

  private async notFound(name: string): Promise<AppError> {
    const names = await this.names();
    const shown = names.slice(0, NAMED_IN_ERROR).join(', ');
    const more = names.length > NAMED_IN_ERROR ? ` and ${String(names.length - NAMED_IN_ERROR)} more` : '';
    return new AppError('model_not_found', `There is no model '${name}'. There are: ${shown}${more}.`, {
      param: 'model',
    });
  }

  /** Returns undefined if the list cannot be read. Never rejects. */
  private async listOf(provider: ModelProvider): Promise<readonly ListedModel[] | undefined> {
    return (await this.lists.forceFetch(provider.id, { context: provider })).models;
  }
}

/** Ollama lists its models with their tag, and takes them without where it is the usual one. */
function entryOf(models: readonly ListedModel[], name: string): ListedModel | undefined {
  return models.find(({ id }) => id === name || id === `${name}:latest`);
}

function resolved(source: ModelProvider, model: string): ResolvedModel {
  return { source, provider: source.id, model, name: `${source.id}/${model}` };
}
