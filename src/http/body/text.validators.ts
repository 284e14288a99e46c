import { applyDecorators } from '@nestjs/common';
import { isString, registerDecorator } from 'class-validator';

/**
 * A text that can be stored and sent on unchanged: no NUL, which PostgreSQL refuses, and no half surrogate pairs,
 * which UTF-8 cannot carry.
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

/** A text with something in it besides white space. */
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

/** An object all of whose texts and names are plain, however deep they stand. */
export function IsPlainObject(): PropertyDecorator {
  return applyDecorators((target: object, propertyKey: string | symbol) => {
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

/** Goes through a value without recursion: a body may be nested as deep as it likes. */
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
