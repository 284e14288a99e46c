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
        defaultMessage: () => '$property must be a text without NUL characters and lone surrogates',
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
