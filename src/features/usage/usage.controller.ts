import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors, UserId } from '../../http/index.js';
import { UsageQuery, UsageReportBody } from './usage.dto.js';
import { toUsageReportBody } from './usage.mapper.js';
import { UsageService } from './usage.service.js';

@ApiTags('usage')
@Controller('api/v1/usage')
export class UsageController {
  constructor(private readonly usage: UsageService) {}

  @Get()
  @ApiOperation({
    summary: 'What you used',
    description:
      'Tokens and cost of every attempt at a model, by day and model. Calls of the compatible routes show up within a second.',
  })
  @ApiOkResponse({ type: UsageReportBody, description: 'The report.' })
  @ApiErrors('invalid_request', 'unauthorized')
  async report(@UserId() userId: string, @Query() days: UsageQuery): Promise<UsageReportBody> {
    return toUsageReportBody(await this.usage.report(userId, days));
  }
}
