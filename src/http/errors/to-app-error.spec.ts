import {
  BadRequestException,
  ForbiddenException,
  NotFoundException,
  UnauthorizedException,
} from '@nestjs/common';
import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../common/errors.js';
import { toAppError } from './to-app-error.js';

/** Creates an error like those that body parsers throw. */
const parserError = (status: number, type: string, message = 'the secret body'): Error =>
  Object.assign(new Error(message), { status, statusCode: status, type });

describe('toAppError converts', () => {
  test.each<[what: string, error: unknown, code: string, message: string]>([
    ['a text', 'the secret', 'internal_error', 'Something went wrong on the server.'],
    ['nothing', undefined, 'internal_error', 'Something went wrong on the server.'],
    ['an ordinary error', new Error('the secret'), 'internal_error', 'Something went wrong on the server.'],
    [
      'a broken URI of our own making',
      new URIError('URI malformed'),
      'internal_error',
      'Something went wrong on the server.',
    ],
    [
      'a 500 of a library',
      parserError(500, 'stream.encoding.set'),
      'internal_error',
      'Something went wrong on the server.',
    ],
    [
      'a status that is no number',
      Object.assign(new Error(), { status: '404' }),
      'internal_error',
      'Something went wrong on the server.',
    ],
    [
      'an AppError inside an error of Nest',
      new ForbiddenException('the secret', { cause: new AppError('invalid_request', 'It is ours.') }),
      'invalid_request',
      'It is ours.',
    ],
    [
      'Nest: 404',
      new NotFoundException('Cannot GET /nope?key=secret'),
      'not_found',
      'No such route: GET /nope. See /docs for all routes.',
    ],
    ['Nest: 401', new UnauthorizedException('Who are you?'), 'unauthorized', 'Who are you?'],
    ['Nest: 403', new ForbiddenException('Not you.'), 'forbidden', 'Not you.'],
    [
      'Nest: broken JSON',
      new BadRequestException('Unexpected token s, "secret" is not valid JSON'),
      'invalid_request',
      'The request body is not a valid JSON object.',
    ],
    [
      'Nest: another 400',
      new BadRequestException('the secret'),
      'invalid_request',
      'The request could not be read.',
    ],
    [
      'Nest: a broken path',
      new BadRequestException("Failed to decode param '%'"),
      'invalid_request',
      'The path is not valid: it contains a malformed % sequence.',
    ],
    [
      'a parser: broken JSON',
      parserError(400, 'entity.parse.failed'),
      'invalid_request',
      'The request body is not a valid JSON object.',
    ],
    [
      'a parser: body too large',
      parserError(413, 'entity.too.large'),
      'payload_too_large',
      'The request body is too large.',
    ],
    [
      'a parser: unknown encoding',
      parserError(415, 'encoding.unsupported'),
      'unsupported_media_type',
      'The encoding of the request body is not supported.',
    ],
    [
      'a parser: wrong length',
      parserError(400, 'request.size.invalid'),
      'invalid_request',
      'The request could not be read.',
    ],
  ])('%s', (_what, error, code, message) => {
    const result = toAppError(error);
    expect(result.code).toBe(code);
    expect(result.message).toContain(message);
    expect(result.message).not.toContain('secret');
  });
});

test('toAppError returns an AppError unchanged', () => {
  const error = new AppError('email_taken', 'Taken.');
  expect(toAppError(error)).toBe(error);
});

test('toAppError keeps an unknown error as the cause for the log', () => {
  const cause = new Error('the secret');
  expect(toAppError(cause).cause).toBe(cause);
});
