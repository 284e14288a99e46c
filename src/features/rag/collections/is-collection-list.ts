import { isString, registerDecorator } from 'class-validator';
import { COLLECTION_NAME } from './collection-settings.js';

/** Maximum number of collections of one request. */
export const MAX_COLLECTION_LIST = 20;

/** Schema of a list of collections, or of one, for the OpenAPI document. */
export const COLLECTION_LIST_SCHEMA = {
  oneOf: [
    { type: 'string', pattern: COLLECTION_NAME.source },
    {
      type: 'array',
      items: { type: 'string', pattern: COLLECTION_NAME.source },
      minItems: 1,
      maxItems: MAX_COLLECTION_LIST,
    },
  ],
};

/** Requires the id or name of a collection, or a list of up to 20 of them. */
export function IsCollectionList(): PropertyDecorator {
  return (target: object, propertyKey: string | symbol) => {
    registerDecorator({
      name: 'isCollectionList',
      target: target.constructor,
      propertyName: String(propertyKey),
      validator: {
        validate: (value: unknown) => {
          const list: unknown[] = Array.isArray(value) ? value : [value];
          const isBounded = list.length > 0 && list.length <= MAX_COLLECTION_LIST;
          return isBounded && list.every((entry) => isString(entry) && COLLECTION_NAME.test(entry));
        },
        defaultMessage: () =>
          `$property must be the id or the name of a collection, or a list of 1 to ${MAX_COLLECTION_LIST} of them`,
      },
    });
  };
}
