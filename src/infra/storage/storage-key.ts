import type { StorageKey } from './file-storage.js';

/** Valid part of a key: contains neither a dot nor a slash, so that it cannot lead out of the folder. */
const PART = /^[0-9a-z][0-9a-z-]{0,63}$/;

/** Returns true if a text can be the folder or the name of a key. */
export function isKeyPart(text: string): boolean {
  return PART.test(text);
}

/**
 * Returns a valid part of a key unchanged.
 * @throws Error for any other text
 */
export function checkedKeyPart(part: string): string {
  if (isKeyPart(part)) return part;
  throw new Error('A storage key may only consist of parts of lower-case letters, digits and hyphens.');
}

/**
 * Returns the name of an object in a bucket: `folder/name`.
 * @throws Error for an invalid key
 */
export function toObjectName({ folder, name }: StorageKey): string {
  return `${checkedKeyPart(folder)}/${checkedKeyPart(name)}`;
}

/** Returns the key of an object; undefined for an object that is not ours. */
export function parseObjectName(text: string | undefined): StorageKey | undefined {
  const [folder = '', name = '', ...more] = text?.split('/') ?? [];
  return isKeyPart(folder) && isKeyPart(name) && more.length === 0 ? { folder, name } : undefined;
}
