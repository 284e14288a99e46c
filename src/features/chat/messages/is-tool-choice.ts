import { buildMessage, ValidateBy } from 'class-validator';

/** Allowed characters in a function name. */
export const TOOL_NAME = /^[\w.-]+$/;

/** The `tool_choice` parameter. */
export type ToolChoice =
  'auto' | 'none' | 'required' | { readonly type: 'function'; readonly function: { readonly name: string } };

/** Validates a tool choice: a keyword, or the one function that must be called. */
export function IsToolChoice(): PropertyDecorator {
  return ValidateBy({
    name: 'isToolChoice',
    validator: {
      validate: isToolChoice,
      defaultMessage: buildMessage(
        (prefix) =>
          `${prefix}$property must be auto, none, required, or {"type": "function", "function": {"name": …}}`,
      ),
    },
  });
}

function isToolChoice(value: unknown): boolean {
  if (value === 'auto' || value === 'none' || value === 'required') return true;
  if (!hasExactly(value, 'type', 'function') || Reflect.get(value, 'type') !== 'function') return false;
  const called: unknown = Reflect.get(value, 'function');
  if (!hasExactly(called, 'name')) return false;
  const name: unknown = Reflect.get(called, 'name');
  return typeof name === 'string' && name.length <= 64 && TOOL_NAME.test(name);
}

function hasExactly(value: unknown, ...names: readonly string[]): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const own = Object.keys(value);
  return own.length === names.length && names.every((name) => Object.hasOwn(value, name));
}
