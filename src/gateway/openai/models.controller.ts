import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { ApiErrors, Scope } from '../../http/index.js';
import { ModelBody, ModelListBody } from './models.dto.js';
import { OpenAiModelsService } from './models.service.js';

@Scope('chat')
@ApiTags('openai')
@Controller('v1/models')
export class ModelsController {
  constructor(private readonly models: OpenAiModelsService) {}

  @Get()
  @ApiOperation({
    summary: 'List models',
    description: 'OpenAI’s API format; Anthropic’s for requests with an `anthropic-version` header.',
  })
  @ApiOkResponse({
    type: ModelListBody,
    description:
      'All aliases (names that stand for a chain of models), then the models that the providers list. A provider whose list cannot be read is left out.',
  })
  @ApiErrors('unauthorized')
  async list(): Promise<ModelListBody> {
    return { object: 'list', data: await this.models.list() };
  }

  /** A name may contain slashes, so it takes the rest of the path. */
  @Get('*model')
  @ApiOperation({
    summary: 'Get a model',
    description: 'Accepts the full name, the bare name or an alias; slashes need no escaping.',
  })
  @ApiParam({ name: 'model', type: String, description: 'Name of the model.', example: 'demo/echo' })
  @ApiOkResponse({ type: ModelBody, description: 'The model.' })
  @ApiErrors('unauthorized', 'model_not_found', 'provider_unavailable')
  get(@Param('model') name: string | string[]): Promise<ModelBody> {
    return this.models.get(Array.isArray(name) ? name.join('/') : name);
  }
}
