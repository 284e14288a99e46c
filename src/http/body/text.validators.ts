import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { isString, registerDecorator } from 'class-validator';

/**
 * Requires a string that can be stored and forwarded unchanged: no NUL, which PostgreSQL rejects, and no lone
 * surrogates, which UTF-8 cannot encode.
 */
export function IsPlainText(): PropertyDecorator {
  return applyDecorators((target: object, propertyKey: string | symbol) => {
    registerDecorator({
      name: 'isPlainText',
      target: target.constructor,
      propertyName: String(propertyKey),
      validator: {
        validate: (value: unknown) => isString(value) && !value.includes('\0') && value.isWellFormed(),
        defaultMessage: () => '$property must be a string without NUL characters and lone surrogates',
      },
    });
  });
}

/** Requires a string that contains something other than white space. */
export function IsNotBlank(): PropertyDecorator {
  return applyDecorators((target: object, propertyKey: string | symbol) => {
    registerDecorator({
      name: 'isNotBlank',
      target: target.constructor,
      propertyName: String(propertyKey),
      validator: {
        validate: (value: unknown) => isString(value) && value.trim() !== '',
        defaultMessage: () => '$property must not be blank',
      },
    });
  });
}

/**
 * Requires an object whose strings and field names contain no NUL and no lone surrogates, at any depth, and takes it as
 * it is: a copy by class-transformer would lack names that every object has, such as `toString`.
 */
export function IsPlainObject(): PropertyDecorator {
  const takeAsItIs = ({ obj, key }: { readonly obj: object; readonly key: string }): unknown =>
    Reflect.get(obj, key);
  return applyDecorators(Transform(takeAsItIs), (target: object, propertyKey: string | symbol) => {
    registerDecorator({
      name: 'isPlainObject',
      target: target.constructor,
      propertyName: String(propertyKey),
      validator: {
        validate: (value: unknown) =>
          typeof value === 'object' && !Array.isArray(value) && holdsPlainTexts(value),
        defaultMessage: () => '$property must be an object without NUL characters and lone surrogates',
      },
    });
  });
}

/** Checks a value without recursion, because a body may be nested to any depth. */
function holdsPlainTexts(value: unknown): boolean {
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === 'string') {
      if (next.includes('\0') || !next.isWellFormed()) return false;
    } else if (typeof next === 'object' && next !== null) {
      for (const [name, entry] of Object.entries(next)) waiting.push(name, entry);
    }
  }
  return true;
}
