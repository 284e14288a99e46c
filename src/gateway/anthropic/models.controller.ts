import { Controller, Get, Param, Query, UseInterceptors } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { ANTHROPIC_VERSION, SchemaPipe, Scope } from '../../http/index.js';
import { type AnthropicModel, type ModelPage, AnthropicModelsService } from './models.service.js';
import { RequestIdInterceptor } from './request-id.interceptor.js';
import { MODEL_PAGE } from './schemas.js';

/** The query of the list, whose numbers are strings as in every query. */
export interface ModelPageQuery {
  readonly limit?: string;
  readonly after_id?: string;
  readonly before_id?: string;
}

/** Default page size, the same as Anthropic's. */
const PAGE_SIZE = 20;

/** Serves the routes that OpenAI's protocol documents, for requests that send an `anthropic-version`. */
@Scope('chat')
@ApiExcludeController()
@UseInterceptors(RequestIdInterceptor)
@Controller({ path: 'v1/models', version: ANTHROPIC_VERSION })
export class AnthropicModelsController {
  constructor(private readonly models: AnthropicModelsService) {}

  @Get()
  list(@Query(new SchemaPipe<ModelPageQuery>(MODEL_PAGE)) query: ModelPageQuery): Promise<ModelPage> {
    const limit = query.limit === undefined ? PAGE_SIZE : Number(query.limit);
    return this.models.list({ limit, after: query.after_id, before: query.before_id });
  }

  /** A name may contain slashes, so it takes the rest of the path. */
  @Get('*model')
  get(@Param('model') name: string | string[]): Promise<AnthropicModel> {
    return this.models.get(Array.isArray(name) ? name.join('/') : name);
  }
}
