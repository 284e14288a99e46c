/** The headers of an answer as the official SDKs take them. */
export function toHeaders(raw: NodeJS.Dict<string | string[]>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw)) {
    for (const one of Array.isArray(value) ? value : [value ?? '']) headers.append(name, one);
  }
  return headers;
}

/** The status of an answer that is no success; a redirect that we do not follow, and anything stranger, cannot be used. */
export function asErrorStatus(status: number): number {
  return status >= 400 && status <= 599 ? status : 502;
}
