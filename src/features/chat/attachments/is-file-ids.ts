import { isUUID, registerDecorator } from 'class-validator';

/** Most files of one message. */
export const MAX_FILES = 10;

/** A list of ids of files, at most ten, none of them twice. */
export function IsFileIds(): PropertyDecorator {
  return (target: object, propertyKey: string | symbol) => {
    registerDecorator({
      name: 'isFileIds',
      target: target.constructor,
      propertyName: String(propertyKey),
      validator: {
        validate: isFileIds,
        defaultMessage: () => `$property must be an array of at most ${MAX_FILES} distinct file ids`,
      },
    });
  };
}

function isFileIds(value: unknown): boolean {
  // Its length first: to look at each of a million entries would be the work of whoever sent them.
  if (!Array.isArray(value) || value.length > MAX_FILES) return false;
  const ids: unknown[] = value;
  const known = new Set(ids.map((id) => (isUUID(id) ? String(id).toLowerCase() : undefined)));
  return !known.has(undefined) && known.size === ids.length;
}
