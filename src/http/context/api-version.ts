import { VersioningType, type VersioningOptions } from '@nestjs/common';
import type { Request } from 'express';

/** The version of routes that are only for requests which name a version of Anthropic's wire. */
export const ANTHROPIC_WIRE = 'anthropic';

/** Routes that two wires have in common are told apart as versions of one route; those without a version are for all. */
export const WIRE_VERSIONS: VersioningOptions = {
  type: VersioningType.CUSTOM,
  extractor: (request: unknown) => (namesAnthropic(request) ? ANTHROPIC_WIRE : ''),
};

/** Whether a request names a version of Anthropic's wire, as all of its clients do. */
export function speaksAnthropic(request: Request): boolean {
  return request.headers['anthropic-version'] !== undefined;
}

function namesAnthropic(request: unknown): boolean {
  return isRequest(request) && speaksAnthropic(request);
}

function isRequest(request: unknown): request is Request {
  return typeof request === 'object' && request !== null && 'headers' in request;
}
