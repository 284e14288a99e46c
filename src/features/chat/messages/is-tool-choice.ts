import { buildMessage, ValidateBy } from 'class-validator';

/** What a function may be called. */
export const TOOL_NAME = /^[\w.-]+$/;

/** How tools are chosen. */
export type ToolChoice =
  'auto' | 'none' | 'required' | { readonly type: 'function'; readonly function: { readonly name: string } };

/** A way to choose tools: by its word, or the one function that must be called. */
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
