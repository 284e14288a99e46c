/** How a JSON text names its model, and how it is to. */
export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** Made once for all texts of one answer. */
export function renameOf(upstream: string, ours: string): Rename {
  return { from: fieldOf(upstream), to: fieldOf(ours) };
}

/**
 * The text with the model's name replaced, text for text, because writing JSON anew costs more than all else that is
 * done to it. Inside of a JSON text every quote is escaped, so what matches is a field of that name. Undefined where
 * there is none, or more than one: then only reading tells which one is meant.
 */
export function renamed(raw: string, { from, to }: Rename): string | undefined {
  const at = raw.indexOf(from);
  if (at === -1 || raw.includes(from, at + from.length)) return undefined;
  return raw.slice(0, at) + to + raw.slice(at + from.length);
}

function fieldOf(model: string): string {
  return `"model":${JSON.stringify(model)}`;
}
