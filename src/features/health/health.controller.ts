import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import { VERSION } from '../../config/index.js';
import { ApiErrors, Public } from '../../http/index.js';
import { HealthBody, ProbeBody, ServiceBody } from './health.dto.js';
import { toHealthBody } from './health.mapper.js';
import { HealthService } from './health.service.js';

// Probes must not be answered with "too many".
@Public()
@SkipThrottle()
@ApiTags('service')
@Controller()
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get()
  @ApiOperation({ summary: 'Get the name and version' })
  @ApiOkResponse({ type: ServiceBody, description: 'Name and version of the service.' })
  @ApiErrors()
  root(): ServiceBody {
    return { name: 'parley', version: VERSION, docs: '/docs' };
  }

  @Get('health')
  @ApiOperation({
    summary: 'Check the overall health',
    description:
      'The status is always 200; read the state from the body. Use `/health/live` and `/health/ready` for probes.',
  })
  @ApiOkResponse({
    type: HealthBody,
    description: 'The state of the database, of Redis and of each provider.',
  })
  @ApiErrors()
  async overall(): Promise<HealthBody> {
    return toHealthBody(await this.health.overall());
  }

  @Get('health/live')
  @ApiOperation({ summary: 'Check that the process is up' })
  @ApiOkResponse({ type: ProbeBody, description: 'The process is up.' })
  @ApiErrors()
  live(): ProbeBody {
    return { status: 'ok' };
  }

  @Get('health/ready')
  @ApiOperation({
    summary: 'Check that requests can be served',
    description: 'Returns 503 while the database is unavailable.',
  })
  @ApiOkResponse({ type: ProbeBody, description: 'Requests can be served.' })
  @ApiErrors()
  async ready(): Promise<ProbeBody> {
    await this.health.assertReady();
    return { status: 'ok' };
  }
}
