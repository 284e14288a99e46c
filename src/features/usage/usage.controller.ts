import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors, Scope, UserId } from '../../http/index.js';
import { UsageQuery, UsageReportBody } from './usage.dto.js';
import { toUsageReportRequest, toUsageReportBody } from './usage.mapper.js';
import { UsageService } from './usage.service.js';

@Scope('chat')
@ApiTags('usage')
@Controller('api/v1/usage')
export class UsageController {
  constructor(private readonly usage: UsageService) {}

  @Get()
  @ApiOperation({
    summary: 'Get your usage',
    description:
      'Tokens and cost of all attempts to call a model, by day and model, and optionally by API key (`by=day,model,key`). Calls to the compatible routes appear within a second.',
  })
  @ApiOkResponse({ type: UsageReportBody, description: 'The usage report.' })
  @ApiErrors('invalid_request', 'unauthorized')
  async report(@UserId() userId: string, @Query() query: UsageQuery): Promise<UsageReportBody> {
    return toUsageReportBody(await this.usage.report(userId, toUsageReportRequest(query)));
  }
}
