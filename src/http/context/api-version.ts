import { VersioningType, type VersioningOptions } from '@nestjs/common';
import type { Request } from 'express';

/** The version of routes that only match requests with an `anthropic-version` header. */
export const ANTHROPIC_VERSION = 'anthropic';

/**
 * Separates routes that two protocols share as versions of one route. Routes without a version match all requests.
 */
export const API_VERSIONING: VersioningOptions = {
  type: VersioningType.CUSTOM,
  extractor: (request: unknown) => (namesAnthropic(request) ? ANTHROPIC_VERSION : ''),
};

/** Reports whether a request names a version of Anthropic's protocol, as all of its clients do. */
export function isAnthropicRequest(request: Request): boolean {
  return request.headers['anthropic-version'] !== undefined;
}

function namesAnthropic(request: unknown): boolean {
  return isRequest(request) && isAnthropicRequest(request);
}

function isRequest(request: unknown): request is Request {
  return typeof request === 'object' && request !== null && 'headers' in request;
}
