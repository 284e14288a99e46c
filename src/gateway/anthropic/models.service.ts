import { Injectable } from '@nestjs/common';
import { AppError, InvalidRequestError } from '../../common/errors.js';
import { ModelCatalog } from '../../llm/index.js';

/** A model in Anthropic's format. */
export interface AnthropicModel {
  readonly type: 'model';
  readonly id: string;
  readonly display_name: string;
  /** Providers with other protocols do not report it; the API allows an epoch value in that case. */
  readonly created_at: string;
  readonly capabilities: null;
  readonly lifecycle: 'active';
  readonly deprecated_at: null;
}

/** A page of the list of models. */
export interface ModelPage {
  readonly data: readonly AnthropicModel[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

/** The requested page. */
export interface PageRequest {
  readonly limit: number;
  readonly after: string | undefined;
  readonly before: string | undefined;
}

@Injectable()
export class AnthropicModelsService {
  constructor(private readonly models: ModelCatalog) {}

  /**
   * Returns a page of the aliases and all models. Models of providers whose list cannot be read are omitted.
   * @throws InvalidRequestError if there is no model with the name of a cursor
   */
  async list({ limit, after, before }: PageRequest): Promise<ModelPage> {
    const names = [...this.models.aliases(), ...(await this.models.modelNames())];
    for (const cursor of [after, before]) {
      if (cursor === undefined || names.includes(cursor)) continue;
      throw new InvalidRequestError(`There is no model '${cursor}' to continue from.`);
    }
    const from = after === undefined ? 0 : names.indexOf(after) + 1;
    const end = before === undefined ? -1 : names.indexOf(before);
    const within = names.slice(from, end === -1 ? names.length : end);
    // With `before`, the page ends right before the cursor.
    const shown = before === undefined ? within.slice(0, limit) : within.slice(-limit);
    return {
      data: shown.map(toListedModel),
      first_id: shown[0] ?? null,
      last_id: shown.at(-1) ?? null,
      has_more: shown.length < within.length,
    };
  }

  /**
   * Returns an alias, or a model by its full or bare name.
   * @throws AppError `model_not_found`
   */
  async get(name: string): Promise<AnthropicModel> {
    if (this.models.aliases().includes(name)) return toListedModel(name);
    const { name: id } = await this.models.resolve(name);
    const known = await this.models.modelNames();
    if (!known.includes(id))
      throw new AppError('model_not_found', `There is no model '${name}'.`, { param: 'model' });
    return toListedModel(id);
  }
}

function toListedModel(id: string): AnthropicModel {
  return {
    type: 'model',
    id,
    display_name: id,
    created_at: '1970-01-01T00:00:00Z',
    capabilities: null,
    lifecycle: 'active',
    deprecated_at: null,
  };
}
