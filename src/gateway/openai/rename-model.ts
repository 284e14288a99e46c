/** The model field of a JSON text and its replacement. */
export interface ModelRename {
  readonly from: string;
  readonly to: string;
}

/** Creates a replacement, once for all texts of one answer. */
export function createModelRename(upstream: string, ours: string): ModelRename {
  return { from: fieldOf(upstream), to: fieldOf(ours) };
}

/**
 * Replaces the model's name in a JSON text, as a string, because serializing JSON costs more than all other
 * processing of it. Inside a JSON string every quote is escaped, so a match is always a field of that name.
 * Returns undefined if there is no match or more than one: then only parsing can find the right field.
 */
export function renameModelInJson(raw: string, { from, to }: ModelRename): string | undefined {
  const at = raw.indexOf(from);
  if (at === -1 || raw.includes(from, at + from.length)) return undefined;
  return raw.slice(0, at) + to + raw.slice(at + from.length);
}

function fieldOf(model: string): string {
  return `"model":${JSON.stringify(model)}`;
}
