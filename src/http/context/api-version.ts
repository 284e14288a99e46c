import { VersioningType, type VersioningOptions } from '@nestjs/common';
import type { Request } from 'express';

/** The version of routes that only match requests with an `anthropic-version` header. */
export const ANTHROPIC_WIRE = 'anthropic';

/**
 * Separates routes that two protocols share as versions of one route. Routes without a version match all requests.
 */
export const WIRE_VERSIONS: VersioningOptions = {
  type: VersioningType.CUSTOM,
  extractor: (request: unknown) => (namesAnthropic(request) ? ANTHROPIC_WIRE : ''),
};

/** Reports whether a request names a version of Anthropic's protocol, as all of its clients do. */
export function speaksAnthropic(request: Request): boolean {
  return request.headers['anthropic-version'] !== undefined;
}

function namesAnthropic(request: unknown): boolean {
  return isRequest(request) && speaksAnthropic(request);
}

function isRequest(request: unknown): request is Request {
  return typeof request === 'object' && request !== null && 'headers' in request;
}
