import { isString, registerDecorator } from 'class-validator';
import { COLLECTION_ID, COLLECTION_NAME } from './collection-settings.js';

/** Requires a valid name of a collection. */
export function IsCollectionName(): PropertyDecorator {
  return (target: object, propertyKey: string | symbol) => {
    registerDecorator({
      name: 'isCollectionName',
      target: target.constructor,
      propertyName: String(propertyKey),
      validator: {
        validate: (value: unknown) =>
          isString(value) && COLLECTION_NAME.test(value) && !COLLECTION_ID.test(value),
        defaultMessage: () =>
          '$property must have 1 to 64 ASCII letters, digits, ".", "_" and "-", begin with a letter or a digit, and not have the form of an id',
      },
    });
  };
}
