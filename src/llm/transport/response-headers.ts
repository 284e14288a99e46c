/** Converts response headers to the form that the official SDKs expect. */
export function toHeaders(raw: NodeJS.Dict<string | string[]>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw)) {
    for (const one of Array.isArray(value) ? value : [value ?? '']) headers.append(name, one);
  }
  return headers;
}

/**
 * Returns the status of an unsuccessful response. A redirect, which is not followed, and any other unusable
 * status become 502.
 */
export function toErrorStatus(status: number): number {
  return status >= 400 && status <= 599 ? status : 502;
}
