import { ApiProperty } from '@nestjs/swagger';

/** A session of the queue dashboard. */
export class DashboardSessionBody {
  @ApiProperty({ description: 'Path of the dashboard, to open in the browser.', example: '/admin/queues' })
  url!: string;

  @ApiProperty({
    description: 'Time at which the session ends.',
    format: 'date-time',
    example: '2026-11-29T08:10:00.000Z',
  })
  expires_at!: string;
}
