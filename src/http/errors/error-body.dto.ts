import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { AppError, ErrorCode } from '../../common/errors.js';
import { ERROR_TABLE } from './error-table.js';

/** An invalid field. */
export class ErrorDetailBody {
  @ApiProperty({ description: 'Name of the field, with dots for nested fields.', example: 'temperature' })
  field!: string;

  @ApiProperty({
    description: 'What is wrong and which values the field accepts.',
    example: 'temperature must not be greater than 2',
  })
  message!: string;
}

/** The error, in the format of OpenAI's API. */
export class ErrorObject {
  @ApiProperty({
    description: 'Stable error code for programs.',
    enum: Object.keys(ERROR_TABLE),
    example: 'invalid_request',
  })
  code!: string;

  @ApiProperty({
    description: 'Human-readable description of what is wrong and what to do.',
    example: 'temperature must not be greater than 2.',
  })
  message!: string;

  @ApiProperty({ description: 'Broad class of the error.', example: 'invalid_request_error' })
  type!: string;

  @ApiProperty({
    description: 'Field that the error refers to.',
    type: String,
    nullable: true,
    example: 'temperature',
  })
  param!: string | null;

  @ApiPropertyOptional({ description: 'All invalid fields.', type: [ErrorDetailBody] })
  details?: ErrorDetailBody[];
}

/** The body of every error response of a product route. */
export class ErrorBody {
  @ApiProperty({ description: 'The error.', type: ErrorObject })
  error!: ErrorObject;

  @ApiProperty({
    description: 'Id of the request in the log; also in the `X-Request-ID` header.',
    example: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11',
  })
  request_id!: string;
}

/** Converts an error to its error object, without any details of its cause. */
export function toErrorObject(error: AppError): ErrorObject {
  return {
    code: error.code,
    message: error.message,
    type: errorEntry(error.code).type,
    param: error.param,
    ...(error.details.length > 0 && {
      details: error.details.map(({ field, message }) => ({ field, message })),
    }),
  };
}

/** Returns the body of an error response in our format, which OpenAI's clients read too. */
export function toErrorBody(error: AppError, requestId: string): ErrorBody {
  return { error: toErrorObject(error), request_id: requestId };
}

/** Returns the table's entry for a code. */
export function errorEntry(code: ErrorCode): (typeof ERROR_TABLE)[ErrorCode] {
  return ERROR_TABLE[code];
}
