import type { Type } from '@nestjs/common';
import { ApiBody } from '@nestjs/swagger';

/** Requests by name, each with what it shows. */
export type RequestExamples = Readonly<
  Record<string, { readonly summary: string; readonly value: Readonly<Record<string, unknown>> }>
>;

/**
 * Documents the body of a route with requests that can be sent as they are. Swagger UI offers the first one; without any,
 * it fills in all fields of the body, of which some exclude each other.
 */
export function ApiRequestExamples(type: Type, examples: RequestExamples): MethodDecorator {
  return ApiBody({ type, examples: { ...examples } });
}
