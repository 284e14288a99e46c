import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsString, Length } from 'class-validator';
import { IsPlainText } from '../../../http/index.js';
import { WEBHOOK_EVENT_TYPES } from '../model/webhook-event.js';
import {
  DELIVERY_ERROR_CODES,
  DELIVERY_ERRORS,
  DELIVERY_STATUSES,
  MAX_URL_LENGTH,
} from '../model/webhook.js';

const URL_EXAMPLE = 'https://hooks.example.com/parley';
const EVENTS_EXAMPLE = ['batch.completed', 'batch.failed'];

/** A webhook to be created. */
export class CreateWebhookBody {
  @ApiProperty({
    description:
      'URL that events are sent to: https, without a user name and a fragment. Its host must have public addresses only, unless the operator of the server allows its network.',
    minLength: 1,
    maxLength: MAX_URL_LENGTH,
    example: URL_EXAMPLE,
  })
  @Length(1, MAX_URL_LENGTH)
  @IsPlainText()
  @IsString()
  url!: string;

  @ApiProperty({
    description: 'Types of the events to send.',
    enum: WEBHOOK_EVENT_TYPES,
    isArray: true,
    minItems: 1,
    maxItems: WEBHOOK_EVENT_TYPES.length,
    example: EVENTS_EXAMPLE,
  })
  @IsIn(WEBHOOK_EVENT_TYPES, { each: true })
  @ArrayMaxSize(WEBHOOK_EVENT_TYPES.length)
  @ArrayMinSize(1)
  @IsArray()
  events!: string[];
}

/** A webhook without its secret. */
export class WebhookBody {
  @ApiProperty({ description: 'Id of the webhook.', format: 'uuid' })
  id!: string;

  @ApiProperty({ description: 'URL that events are sent to.', example: URL_EXAMPLE })
  url!: string;

  @ApiProperty({
    description: 'Types of the events that are sent.',
    enum: WEBHOOK_EVENT_TYPES,
    isArray: true,
    example: EVENTS_EXAMPLE,
  })
  events!: string[];

  @ApiProperty({
    description:
      'Time until which deliveries also have a signature with the secret before the last rotation; null if there was none.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  previous_secret_expires_at!: string | null;

  @ApiProperty({
    description:
      'Time from which nothing is sent any more, because the receiver answered 410; null if it is active.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  disabled_at!: string | null;

  @ApiProperty({ description: 'Time at which the webhook was created.', format: 'date-time' })
  created_at!: string;
}

/** A webhook with a new secret. */
export class WebhookWithSecretBody extends WebhookBody {
  @ApiProperty({
    description: 'Secret that signs deliveries, shown only once.',
    example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw…',
  })
  secret!: string;
}

/** A delivery of an event to a webhook. */
export class WebhookDeliveryBody {
  @ApiProperty({ description: 'Id of the delivery.', format: 'uuid' })
  id!: string;

  @ApiProperty({
    description: 'Id of the event: `webhook-id` and `id` of its body, the same in each attempt.',
    example: 'evt_hV3qZ0cKx1mYw6BnJd5hGs0aPf4cLe9u',
  })
  event_id!: string;

  @ApiProperty({ description: 'Type of the event.', enum: WEBHOOK_EVENT_TYPES, example: 'batch.completed' })
  type!: string;

  @ApiProperty({ description: 'Id of the batch.', example: 'batch_0199a3f05b7e7cc39d3a2f6f1c0e9a11' })
  object_id!: string;

  @ApiProperty({
    description: '`pending` until it is delivered or given up.',
    enum: DELIVERY_STATUSES,
    example: 'delivered',
  })
  status!: string;

  @ApiProperty({ description: 'Number of attempts started.', type: 'integer', example: 1 })
  attempts!: number;

  @ApiProperty({
    description: 'Status of the response to the last attempt; null if there was none.',
    type: 'integer',
    nullable: true,
    example: 200,
  })
  status_code!: number | null;

  @ApiProperty({
    description: `Reason for which the last attempt failed; null if it did not. ${DELIVERY_ERROR_CODES.map(
      (code) => `\`${code}\`: ${DELIVERY_ERRORS[code]}`,
    ).join('. ')}.`,
    type: String,
    enum: DELIVERY_ERROR_CODES,
    nullable: true,
    example: null,
  })
  error!: string | null;

  @ApiProperty({
    description: 'Time of the next attempt; null if there is none.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  next_attempt_at!: string | null;

  @ApiProperty({ description: 'Time of the event.', format: 'date-time' })
  created_at!: string;

  @ApiProperty({
    description: 'Time at which the receiver accepted it; null if it has not.',
    type: String,
    format: 'date-time',
    nullable: true,
  })
  delivered_at!: string | null;
}
