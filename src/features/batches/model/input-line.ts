import type { InputFault } from './batch.js';

/** A line of a file of requests. */
export interface InputLine {
  readonly customId: string;
  /** Body of the request. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Model that the body names; undefined for the default model. */
  readonly model: string | undefined;
}

/** A line, or its fault. */
export type ParsedLine = { readonly line: InputLine } | { readonly fault: Omit<InputFault, 'line'> };

/**
 * Reads a line of the file of a batch.
 * @param json parsed JSON, otherwise unchecked
 * @param line number of the line, from 1
 */
export type ParseLine = (json: unknown, line: number) => ParsedLine;
