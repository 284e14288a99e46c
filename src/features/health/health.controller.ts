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
  @ApiOperation({ summary: 'Name and version' })
  @ApiOkResponse({ type: ServiceBody, description: 'What runs here.' })
  @ApiErrors()
  root(): ServiceBody {
    return { name: 'parley', version: VERSION, docs: '/docs' };
  }

  @Get('health')
  @ApiOperation({
    summary: 'How everything is',
    description: 'Always 200; the body tells. Use `/health/live` and `/health/ready` for probes.',
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
  @ApiOperation({ summary: 'Whether the process is up' })
  @ApiOkResponse({ type: ProbeBody, description: 'The process is up.' })
  @ApiErrors()
  live(): ProbeBody {
    return { status: 'ok' };
  }

  @Get('health/ready')
  @ApiOperation({ summary: 'Whether requests can be served', description: '503 while the database is away.' })
  @ApiOkResponse({ type: ProbeBody, description: 'Requests can be served.' })
  @ApiErrors()
  async ready(): Promise<ProbeBody> {
    await this.health.assertReady();
    return { status: 'ok' };
  }
}
