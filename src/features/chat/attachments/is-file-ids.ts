import { isUUID, registerDecorator } from 'class-validator';

/** Maximum number of attachments per message. */
export const MAX_FILES = 10;

/** Validates a list of file ids: at most ten, without duplicates. */
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
  // Check the length first, so that a client cannot make us inspect a million entries.
  if (!Array.isArray(value) || value.length > MAX_FILES) return false;
  const ids: unknown[] = value;
  const known = new Set(ids.map((id) => (isUUID(id) ? String(id).toLowerCase() : undefined)));
  return !known.has(undefined) && known.size === ids.length;
}
