import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { ModelCatalog } from '../../llm/index.js';

/** A model in OpenAI's format. */
export interface OpenAiModel {
  readonly id: string;
  readonly object: 'model';
  /**
   * Unix time in seconds. Providers with other protocols do not report it, so it is the start of this process.
   */
  readonly created: number;
  /** The provider, or `alias` for a chain of models. */
  readonly owned_by: string;
}

const STARTED_AT = Math.floor(Date.now() / 1000);

@Injectable()
export class OpenAiModelsService {
  constructor(private readonly models: ModelCatalog) {}

  /** Returns the aliases and all models. Models of providers whose list cannot be read are omitted. */
  async list(): Promise<OpenAiModel[]> {
    const models = await this.models.modelNames();
    return [...this.models.aliases().map(toListedAlias), ...models.map(toListedModel)];
  }

  /**
   * Returns an alias, or a model by its full or bare name.
   * @throws AppError `model_not_found`
   */
  async get(name: string): Promise<OpenAiModel> {
    if (this.models.aliases().includes(name)) return toListedAlias(name);
    const { name: id } = await this.models.resolve(name);
    const known = await this.models.modelNames();
    if (!known.includes(id))
      throw new AppError('model_not_found', `There is no model '${name}'.`, { param: 'model' });
    return toListedModel(id);
  }
}

function toListedModel(id: string): OpenAiModel {
  return { id, object: 'model', created: STARTED_AT, owned_by: id.split('/', 1)[0] ?? '' };
}

function toListedAlias(id: string): OpenAiModel {
  return { id, object: 'model', created: STARTED_AT, owned_by: 'alias' };
}
